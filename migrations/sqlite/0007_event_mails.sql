ALTER TABLE `emails` ADD `delivery_id` integer;--> statement-breakpoint
CREATE INDEX `emails_delivery` ON `emails` (`delivery_id`) WHERE "emails"."delivery_id" is not null;