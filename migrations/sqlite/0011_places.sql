DROP INDEX `sessions_user`;--> statement-breakpoint
DROP INDEX `sessions_seat`;--> statement-breakpoint
DROP INDEX `sessions_active`;--> statement-breakpoint
ALTER TABLE `sessions` ADD `device` integer;--> statement-breakpoint
ALTER TABLE `sessions` ADD `country` text;--> statement-breakpoint
-- Sessions that have ended leave their seats, which from here on are unique over all sessions of a user.
UPDATE `sessions` SET `seat` = -`id` WHERE `ended_at` IS NOT NULL;--> statement-breakpoint
CREATE INDEX `sessions_device` ON `sessions` (`device`,`id`);--> statement-breakpoint
CREATE INDEX `sessions_country` ON `sessions` (`country`,`id`);--> statement-breakpoint
CREATE UNIQUE INDEX `sessions_seat` ON `sessions` (`user_id`,`seat`);--> statement-breakpoint
CREATE INDEX `sessions_active` ON `sessions` (`active_minute`,`app_id`,`method`,`device`,`country`);