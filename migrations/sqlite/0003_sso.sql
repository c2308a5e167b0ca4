CREATE TABLE `erased_sessions` (
	`id` integer PRIMARY KEY NOT NULL,
	`app_id` integer NOT NULL,
	`ended_at` integer NOT NULL,
	FOREIGN KEY (`app_id`) REFERENCES `apps`(`id`) ON UPDATE no action ON DELETE cascade
);
--> statement-breakpoint
CREATE INDEX `erased_sessions_ended` ON `erased_sessions` (`ended_at`);