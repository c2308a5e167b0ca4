CREATE TABLE "seen_transactions" (
	"identity_id" bigint NOT NULL,
	"hash" "bytea" NOT NULL,
	"lt" bigint NOT NULL
);
--> statement-breakpoint
CREATE TABLE "watched_wallets" (
	"identity_id" bigint PRIMARY KEY NOT NULL,
	"app_id" bigint NOT NULL,
	"since_lt" text,
	"latest_lt" text,
	"next_at" timestamp (3) with time zone NOT NULL
);
--> statement-breakpoint
ALTER TABLE "seen_transactions" ADD CONSTRAINT "seen_transactions_identity_id_identities_id_fk" FOREIGN KEY ("identity_id") REFERENCES "public"."identities"("id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "watched_wallets" ADD CONSTRAINT "watched_wallets_identity_id_identities_id_fk" FOREIGN KEY ("identity_id") REFERENCES "public"."identities"("id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
CREATE UNIQUE INDEX "seen_transactions_key" ON "seen_transactions" USING btree ("identity_id","hash");--> statement-breakpoint
CREATE INDEX "watched_wallets_next" ON "watched_wallets" USING btree ("next_at");