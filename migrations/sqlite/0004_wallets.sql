CREATE TABLE `seen_transactions` (
	`identity_id` integer NOT NULL,
	`hash` blob NOT NULL,
	`lt` integer NOT NULL,
	FOREIGN KEY (`identity_id`) REFERENCES `identities`(`id`) ON UPDATE no action ON DELETE cascade
);
--> statement-breakpoint
CREATE UNIQUE INDEX `seen_transactions_key` ON `seen_transactions` (`identity_id`,`hash`);--> statement-breakpoint
CREATE TABLE `watched_wallets` (
	`identity_id` integer PRIMARY KEY NOT NULL,
	`app_id` integer NOT NULL,
	`since_lt` text,
	`latest_lt` text,
	`next_at` integer NOT NULL,
	FOREIGN KEY (`identity_id`) REFERENCES `identities`(`id`) ON UPDATE no action ON DELETE cascade
);
--> statement-breakpoint
CREATE INDEX `watched_wallets_next` ON `watched_wallets` (`next_at`);