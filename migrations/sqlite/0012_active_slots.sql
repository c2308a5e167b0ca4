DROP INDEX `sessions_active`;--> statement-breakpoint
ALTER TABLE `sessions` RENAME COLUMN `active_minute` TO `active_slot`;--> statement-breakpoint
-- Tens of seconds instead of minutes: a list by last activity sorts one slot, and a minute of a rush was too much to sort.
UPDATE `sessions` SET `active_slot` = `last_active_at` / 10000;--> statement-breakpoint
CREATE INDEX `sessions_active` ON `sessions` (`active_slot`,`app_id`,`method`,`device`,`country`,`ip`);--> statement-breakpoint
CREATE INDEX `sessions_live_active` ON `sessions` (`active_slot`,`app_id`,`method`,`device`,`country`,`ip`) WHERE "sessions"."ended_at" is null;
