CREATE TABLE `erased_users` (
	`id` integer NOT NULL,
	`created_at` integer NOT NULL,
	`erased_at` integer NOT NULL
);
--> statement-breakpoint
CREATE UNIQUE INDEX `erased_users_key` ON `erased_users` (`id`,`created_at`);--> statement-breakpoint
CREATE TABLE `personal_keys` (
	`tag` blob PRIMARY KEY NOT NULL,
	`user_id` integer NOT NULL,
	`sealed` blob NOT NULL,
	FOREIGN KEY (`user_id`) REFERENCES `users`(`id`) ON UPDATE no action ON DELETE cascade
);
--> statement-breakpoint
CREATE INDEX `personal_keys_user` ON `personal_keys` (`user_id`);