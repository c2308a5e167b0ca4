CREATE TABLE `figures` (
	`step` integer NOT NULL,
	`at` integer NOT NULL,
	`app_id` integer NOT NULL,
	`name` text NOT NULL,
	`n` integer NOT NULL
);
--> statement-breakpoint
CREATE UNIQUE INDEX `figures_key` ON `figures` (`step`,`at`,`app_id`,`name`);--> statement-breakpoint
CREATE TABLE `blocks` (
	`id` integer PRIMARY KEY AUTOINCREMENT NOT NULL,
	`effect` text NOT NULL,
	`kind` text NOT NULL,
	`value` text,
	`user_id` integer,
	`app_id` integer,
	`reason` text NOT NULL,
	`author` text NOT NULL,
	`automatic` integer DEFAULT false NOT NULL,
	`created_at` integer NOT NULL,
	`expires_at` integer
);
--> statement-breakpoint
CREATE INDEX `blocks_value` ON `blocks` (`value`);--> statement-breakpoint
CREATE INDEX `blocks_user` ON `blocks` (`user_id`);--> statement-breakpoint
CREATE INDEX `blocks_expiry` ON `blocks` (`expires_at`);--> statement-breakpoint
CREATE TABLE `findings` (
	`id` integer PRIMARY KEY AUTOINCREMENT NOT NULL,
	`detector` text NOT NULL,
	`app_id` integer NOT NULL,
	`kind` text NOT NULL,
	`value` text NOT NULL,
	`user_id` integer,
	`started_at` integer NOT NULL,
	`last_seen_at` integer NOT NULL,
	`tries` integer NOT NULL,
	`stopped` integer NOT NULL,
	`confidence` integer NOT NULL,
	`answer` text NOT NULL,
	`shadow` integer NOT NULL,
	`answered_until` integer
);
--> statement-breakpoint
CREATE INDEX `findings_seen` ON `findings` (`last_seen_at`);--> statement-breakpoint
CREATE INDEX `findings_value` ON `findings` (`value`);--> statement-breakpoint
CREATE TABLE `traffic_rules` (
	`detector` text PRIMARY KEY NOT NULL,
	`mode` text NOT NULL,
	`threshold` integer NOT NULL,
	`answer` text NOT NULL,
	`updated_at` integer NOT NULL
);
--> statement-breakpoint
CREATE TABLE `tries` (
	`hour` integer NOT NULL,
	`app_id` integer NOT NULL,
	`network` text NOT NULL,
	`address` text NOT NULL,
	`device` text NOT NULL,
	`succeeded` integer NOT NULL,
	`failed` integer NOT NULL,
	`stopped` integer NOT NULL
);
--> statement-breakpoint
CREATE UNIQUE INDEX `tries_key` ON `tries` (`hour`,`app_id`,`address`,`device`);--> statement-breakpoint
CREATE INDEX `tries_network` ON `tries` (`network`,`hour`);--> statement-breakpoint
CREATE INDEX `tries_address` ON `tries` (`address`,`hour`);