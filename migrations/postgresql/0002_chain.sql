CREATE TABLE "figures" (
	"step" integer NOT NULL,
	"at" integer NOT NULL,
	"app_id" bigint NOT NULL,
	"name" text NOT NULL,
	"n" bigint NOT NULL
);
--> statement-breakpoint
CREATE TABLE "blocks" (
	"id" bigserial PRIMARY KEY NOT NULL,
	"effect" text NOT NULL,
	"kind" text NOT NULL,
	"value" text,
	"user_id" bigint,
	"app_id" bigint,
	"reason" text NOT NULL,
	"author" text NOT NULL,
	"automatic" boolean DEFAULT false NOT NULL,
	"created_at" timestamp (3) with time zone NOT NULL,
	"expires_at" timestamp (3) with time zone
);
--> statement-breakpoint
CREATE TABLE "findings" (
	"id" bigserial PRIMARY KEY NOT NULL,
	"detector" text NOT NULL,
	"app_id" bigint NOT NULL,
	"kind" text NOT NULL,
	"value" text NOT NULL,
	"user_id" bigint,
	"started_at" timestamp (3) with time zone NOT NULL,
	"last_seen_at" timestamp (3) with time zone NOT NULL,
	"tries" integer NOT NULL,
	"stopped" integer NOT NULL,
	"confidence" integer NOT NULL,
	"answer" text NOT NULL,
	"shadow" boolean NOT NULL,
	"answered_until" timestamp (3) with time zone
);
--> statement-breakpoint
CREATE TABLE "traffic_rules" (
	"detector" text PRIMARY KEY NOT NULL,
	"mode" text NOT NULL,
	"threshold" integer NOT NULL,
	"answer" text NOT NULL,
	"updated_at" timestamp (3) with time zone NOT NULL
);
--> statement-breakpoint
CREATE TABLE "tries" (
	"hour" integer NOT NULL,
	"app_id" bigint NOT NULL,
	"network" text NOT NULL,
	"address" text NOT NULL,
	"device" text NOT NULL,
	"succeeded" integer NOT NULL,
	"failed" integer NOT NULL,
	"stopped" integer NOT NULL
);
--> statement-breakpoint
CREATE UNIQUE INDEX "figures_key" ON "figures" USING btree ("step","at","app_id","name");--> statement-breakpoint
CREATE INDEX "blocks_value" ON "blocks" USING btree ("value");--> statement-breakpoint
CREATE INDEX "blocks_user" ON "blocks" USING btree ("user_id");--> statement-breakpoint
CREATE INDEX "blocks_expiry" ON "blocks" USING btree ("expires_at");--> statement-breakpoint
CREATE INDEX "findings_seen" ON "findings" USING btree ("last_seen_at");--> statement-breakpoint
CREATE INDEX "findings_value" ON "findings" USING btree ("value");--> statement-breakpoint
CREATE UNIQUE INDEX "tries_key" ON "tries" USING btree ("hour","app_id","address","device");--> statement-breakpoint
CREATE INDEX "tries_network" ON "tries" USING btree ("network","hour");--> statement-breakpoint
CREATE INDEX "tries_address" ON "tries" USING btree ("address","hour");