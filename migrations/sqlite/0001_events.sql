CREATE TABLE `event_types` (
	`id` integer PRIMARY KEY AUTOINCREMENT NOT NULL,
	`app_id` integer NOT NULL,
	`key` text NOT NULL,
	`definition` text NOT NULL,
	`created_at` integer NOT NULL,
	`updated_at` integer NOT NULL,
	FOREIGN KEY (`app_id`) REFERENCES `apps`(`id`) ON UPDATE no action ON DELETE cascade
);
--> statement-breakpoint
CREATE UNIQUE INDEX `event_types_key` ON `event_types` (`app_id`,`key`);--> statement-breakpoint
CREATE TABLE `events` (
	`id` integer PRIMARY KEY AUTOINCREMENT NOT NULL,
	`app_id` integer NOT NULL,
	`type` text NOT NULL,
	`user_id` integer,
	`subject_key` integer,
	`payload_sealed` blob NOT NULL,
	`source` text NOT NULL,
	`created_at` integer NOT NULL,
	`read_at` integer,
	FOREIGN KEY (`app_id`) REFERENCES `apps`(`id`) ON UPDATE no action ON DELETE cascade
);
--> statement-breakpoint
CREATE INDEX `events_app` ON `events` (`app_id`,`id`);--> statement-breakpoint
CREATE INDEX `events_type` ON `events` (`type`,`id`);--> statement-breakpoint
CREATE INDEX `events_subject` ON `events` (`subject_key`,`id`) WHERE "events"."subject_key" is not null;--> statement-breakpoint
CREATE INDEX `events_user` ON `events` (`user_id`,`id`) WHERE "events"."user_id" is not null;--> statement-breakpoint
CREATE INDEX `events_created` ON `events` (`created_at`);--> statement-breakpoint
CREATE TABLE `idempotency_keys` (
	`id` integer PRIMARY KEY AUTOINCREMENT NOT NULL,
	`app_id` integer NOT NULL,
	`key_hash` blob NOT NULL,
	`fingerprint` blob NOT NULL,
	`answer` text NOT NULL,
	`created_at` integer NOT NULL,
	FOREIGN KEY (`app_id`) REFERENCES `apps`(`id`) ON UPDATE no action ON DELETE cascade
);
--> statement-breakpoint
CREATE UNIQUE INDEX `idempotency_keys_key` ON `idempotency_keys` (`app_id`,`key_hash`);--> statement-breakpoint
CREATE INDEX `idempotency_keys_created` ON `idempotency_keys` (`created_at`);--> statement-breakpoint
CREATE TABLE `attempts` (
	`id` integer PRIMARY KEY AUTOINCREMENT NOT NULL,
	`delivery_id` integer NOT NULL,
	`number` integer NOT NULL,
	`at` integer NOT NULL,
	`outcome` text NOT NULL,
	`status` integer,
	`duration_ms` integer NOT NULL,
	`timings` text,
	`address` text,
	`signature` text,
	`exchange_sealed` blob,
	FOREIGN KEY (`delivery_id`) REFERENCES `deliveries`(`id`) ON UPDATE no action ON DELETE cascade
);
--> statement-breakpoint
CREATE INDEX `attempts_delivery` ON `attempts` (`delivery_id`,`id`);--> statement-breakpoint
CREATE TABLE `deliveries` (
	`id` integer PRIMARY KEY AUTOINCREMENT NOT NULL,
	`event_id` integer NOT NULL,
	`channel` text NOT NULL,
	`lane` integer,
	`status` text NOT NULL,
	`step` integer DEFAULT 0 NOT NULL,
	`tries` integer DEFAULT 0 NOT NULL,
	`next_at` integer,
	`worker` integer,
	`order_key` integer,
	`seq` integer,
	`extended` integer DEFAULT false NOT NULL,
	`reason` text,
	`finished_at` integer,
	FOREIGN KEY (`event_id`) REFERENCES `events`(`id`) ON UPDATE no action ON DELETE cascade
);
--> statement-breakpoint
CREATE INDEX `deliveries_event` ON `deliveries` (`event_id`);--> statement-breakpoint
CREATE INDEX `deliveries_lane` ON `deliveries` (`lane`,`event_id`) WHERE "deliveries"."lane" is not null;--> statement-breakpoint
CREATE INDEX `deliveries_due` ON `deliveries` (`lane`,`next_at`,`id`) WHERE status = 'pending';--> statement-breakpoint
CREATE INDEX `deliveries_sending` ON `deliveries` (`worker`) WHERE status = 'sending';--> statement-breakpoint
CREATE INDEX `deliveries_order` ON `deliveries` (`lane`,`order_key`,`id`) WHERE order_key is not null and status in ('pending', 'sending');--> statement-breakpoint
CREATE INDEX `deliveries_dead` ON `deliveries` (`event_id`) WHERE status = 'dead';--> statement-breakpoint
CREATE INDEX `deliveries_held` ON `deliveries` (`event_id`) WHERE status = 'held';--> statement-breakpoint
CREATE INDEX `deliveries_skipped` ON `deliveries` (`event_id`) WHERE status = 'skipped';--> statement-breakpoint
CREATE INDEX `deliveries_people` ON `deliveries` (`channel`,`event_id`) WHERE channel <> 'webhook';--> statement-breakpoint
CREATE TABLE `lane_hours` (
	`lane` integer NOT NULL,
	`hour` integer NOT NULL,
	`delivered` integer NOT NULL,
	`failed` integer NOT NULL,
	`total_ms` integer NOT NULL,
	`slowest_ms` integer NOT NULL
);
--> statement-breakpoint
CREATE UNIQUE INDEX `lane_hours_lane` ON `lane_hours` (`lane`,`hour`);--> statement-breakpoint
CREATE TABLE `lane_sequences` (
	`lane` integer NOT NULL,
	`subject_key` integer NOT NULL,
	`last` integer NOT NULL
);
--> statement-breakpoint
CREATE UNIQUE INDEX `lane_sequences_subject` ON `lane_sequences` (`lane`,`subject_key`);--> statement-breakpoint
CREATE TABLE `outbox_workers` (
	`id` integer PRIMARY KEY AUTOINCREMENT NOT NULL,
	`alive_until` integer NOT NULL
);
--> statement-breakpoint
CREATE TABLE `webhook_endpoints` (
	`id` integer PRIMARY KEY AUTOINCREMENT NOT NULL,
	`app_id` integer NOT NULL,
	`url` text NOT NULL,
	`description` text DEFAULT '' NOT NULL,
	`types` text NOT NULL,
	`payload_format` text NOT NULL,
	`ordered` integer NOT NULL,
	`rate_per_second` integer NOT NULL,
	`concurrency` integer NOT NULL,
	`timeout_ms` integer NOT NULL,
	`secrets_sealed` blob NOT NULL,
	`public_key` text,
	`state` text NOT NULL,
	`state_reason` text,
	`state_at` integer NOT NULL,
	`last_success_at` integer,
	`last_failure_at` integer,
	`failing_since` integer,
	`open_until` integer,
	`openings` integer DEFAULT 0 NOT NULL,
	`version` integer DEFAULT 1 NOT NULL,
	`created_at` integer NOT NULL,
	`updated_at` integer NOT NULL,
	FOREIGN KEY (`app_id`) REFERENCES `apps`(`id`) ON UPDATE no action ON DELETE cascade
);
--> statement-breakpoint
CREATE INDEX `webhook_endpoints_app` ON `webhook_endpoints` (`app_id`);--> statement-breakpoint
CREATE TABLE `notification_preferences` (
	`id` integer PRIMARY KEY AUTOINCREMENT NOT NULL,
	`user_id` integer NOT NULL,
	`choices` text NOT NULL,
	`telegram_ended_at` integer,
	`telegram_end_reason` text,
	FOREIGN KEY (`user_id`) REFERENCES `users`(`id`) ON UPDATE no action ON DELETE cascade
);
--> statement-breakpoint
CREATE UNIQUE INDEX `notification_preferences_user` ON `notification_preferences` (`user_id`);--> statement-breakpoint
ALTER TABLE `apps` ADD `subscriptions` text DEFAULT '[]' NOT NULL;