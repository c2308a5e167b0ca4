DROP INDEX `sessions_active`;--> statement-breakpoint
ALTER TABLE `sessions` ADD `device` integer;--> statement-breakpoint
ALTER TABLE `sessions` ADD `country` text;--> statement-breakpoint
CREATE INDEX `sessions_device` ON `sessions` (`device`,`id`);--> statement-breakpoint
CREATE INDEX `sessions_country` ON `sessions` (`country`,`id`);--> statement-breakpoint
CREATE INDEX `sessions_active` ON `sessions` (`active_minute`,`app_id`,`method`,`device`,`country`);