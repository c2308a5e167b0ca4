CREATE TABLE `link_codes` (
	`id` integer PRIMARY KEY AUTOINCREMENT NOT NULL,
	`user_id` integer NOT NULL,
	`email_hash` blob NOT NULL,
	`resolved_at` integer,
	`target_id` integer,
	`code_hash` blob,
	`tries` integer DEFAULT 0 NOT NULL,
	`expires_at` integer NOT NULL,
	`locked_until` integer,
	FOREIGN KEY (`user_id`) REFERENCES `users`(`id`) ON UPDATE no action ON DELETE cascade
);
--> statement-breakpoint
CREATE UNIQUE INDEX `link_codes_user` ON `link_codes` (`user_id`);--> statement-breakpoint
CREATE TABLE `signature_codes` (
	`id` integer PRIMARY KEY AUTOINCREMENT NOT NULL,
	`user_id` integer NOT NULL,
	`code_hash` blob NOT NULL,
	`email_sealed` blob,
	`tries` integer DEFAULT 0 NOT NULL,
	`expires_at` integer NOT NULL,
	FOREIGN KEY (`user_id`) REFERENCES `users`(`id`) ON UPDATE no action ON DELETE cascade
);
--> statement-breakpoint
CREATE UNIQUE INDEX `signature_codes_user` ON `signature_codes` (`user_id`);--> statement-breakpoint
CREATE TABLE `signatures` (
	`id` integer PRIMARY KEY AUTOINCREMENT NOT NULL,
	`user_id` integer NOT NULL,
	`secret` text,
	`changed_at` integer,
	`email_sealed` blob,
	`questions_sealed` blob,
	`answers` text,
	`questions_at` integer,
	`wrong_tries` integer DEFAULT 0 NOT NULL,
	`locked_until` integer,
	`reset_locked_until` integer,
	FOREIGN KEY (`user_id`) REFERENCES `users`(`id`) ON UPDATE no action ON DELETE cascade
);
--> statement-breakpoint
CREATE UNIQUE INDEX `signatures_user` ON `signatures` (`user_id`);--> statement-breakpoint
CREATE TABLE `email_attempts` (
	`id` integer PRIMARY KEY AUTOINCREMENT NOT NULL,
	`email_id` integer NOT NULL,
	`number` integer NOT NULL,
	`at` integer NOT NULL,
	`duration_ms` integer NOT NULL,
	`outcome` text NOT NULL,
	`status` integer,
	`response` text,
	FOREIGN KEY (`email_id`) REFERENCES `emails`(`id`) ON UPDATE no action ON DELETE cascade
);
--> statement-breakpoint
CREATE INDEX `email_attempts_email` ON `email_attempts` (`email_id`,`id`);--> statement-breakpoint
CREATE TABLE `email_suppressions` (
	`id` integer PRIMARY KEY AUTOINCREMENT NOT NULL,
	`to_hash` blob NOT NULL,
	`to_sealed` blob NOT NULL,
	`reason` text NOT NULL,
	`created_at` integer NOT NULL,
	`until` integer
);
--> statement-breakpoint
CREATE UNIQUE INDEX `email_suppressions_to` ON `email_suppressions` (`to_hash`);--> statement-breakpoint
CREATE TABLE `email_template_versions` (
	`id` integer PRIMARY KEY AUTOINCREMENT NOT NULL,
	`template_id` integer NOT NULL,
	`number` integer NOT NULL,
	`content` text NOT NULL,
	`created_at` integer NOT NULL,
	`created_by` text NOT NULL,
	`restored_from` integer,
	FOREIGN KEY (`template_id`) REFERENCES `email_templates`(`id`) ON UPDATE no action ON DELETE cascade
);
--> statement-breakpoint
CREATE UNIQUE INDEX `email_template_versions_number` ON `email_template_versions` (`template_id`,`number`);--> statement-breakpoint
CREATE TABLE `email_templates` (
	`id` integer PRIMARY KEY AUTOINCREMENT NOT NULL,
	`app_id` integer NOT NULL,
	`kind` text NOT NULL,
	`locale` text NOT NULL,
	`revision` integer NOT NULL,
	`published` integer,
	`draft` text,
	`updated_at` integer NOT NULL,
	`updated_by` text NOT NULL,
	FOREIGN KEY (`app_id`) REFERENCES `apps`(`id`) ON UPDATE no action ON DELETE cascade
);
--> statement-breakpoint
CREATE UNIQUE INDEX `email_templates_key` ON `email_templates` (`app_id`,`kind`,`locale`);--> statement-breakpoint
CREATE TABLE `emails` (
	`id` integer PRIMARY KEY AUTOINCREMENT NOT NULL,
	`app_id` integer NOT NULL,
	`user_id` integer,
	`kind` text NOT NULL,
	`locale` text NOT NULL,
	`to_hash` blob NOT NULL,
	`to_sealed` blob NOT NULL,
	`variables_sealed` blob,
	`draft_sealed` blob,
	`content_sealed` blob,
	`status` text NOT NULL,
	`reason` text,
	`detail` text,
	`template_version` integer,
	`fallback` text,
	`tries` integer DEFAULT 0 NOT NULL,
	`next_at` integer,
	`leased_until` integer,
	`handed_at` integer,
	`resend_of` integer,
	`created_at` integer NOT NULL,
	`expires_at` integer,
	`finished_at` integer,
	`wiped_at` integer,
	FOREIGN KEY (`app_id`) REFERENCES `apps`(`id`) ON UPDATE no action ON DELETE cascade,
	FOREIGN KEY (`user_id`) REFERENCES `users`(`id`) ON UPDATE no action ON DELETE cascade
);
--> statement-breakpoint
CREATE INDEX `emails_due` ON `emails` (`next_at`,`id`) WHERE status = 'queued';--> statement-breakpoint
CREATE INDEX `emails_sending` ON `emails` (`leased_until`) WHERE status = 'sending';--> statement-breakpoint
CREATE INDEX `emails_app` ON `emails` (`app_id`,`id`);--> statement-breakpoint
CREATE INDEX `emails_user` ON `emails` (`user_id`);--> statement-breakpoint
CREATE INDEX `emails_to` ON `emails` (`to_hash`,`id`);--> statement-breakpoint
CREATE INDEX `emails_code` ON `emails` (`expires_at`) WHERE expires_at is not null and wiped_at is null;