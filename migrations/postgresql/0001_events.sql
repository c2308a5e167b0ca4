CREATE TABLE "event_types" (
	"id" bigserial PRIMARY KEY NOT NULL,
	"app_id" bigint NOT NULL,
	"key" text NOT NULL,
	"definition" text NOT NULL,
	"created_at" timestamp (3) with time zone NOT NULL,
	"updated_at" timestamp (3) with time zone NOT NULL
);
--> statement-breakpoint
CREATE TABLE "events" (
	"id" bigserial PRIMARY KEY NOT NULL,
	"app_id" bigint NOT NULL,
	"type" text NOT NULL,
	"user_id" bigint,
	"subject_key" bigint,
	"payload_sealed" "bytea" NOT NULL,
	"source" text NOT NULL,
	"created_at" timestamp (3) with time zone NOT NULL,
	"read_at" timestamp (3) with time zone
);
--> statement-breakpoint
CREATE TABLE "idempotency_keys" (
	"id" bigserial PRIMARY KEY NOT NULL,
	"app_id" bigint NOT NULL,
	"key_hash" "bytea" NOT NULL,
	"fingerprint" "bytea" NOT NULL,
	"answer" text NOT NULL,
	"created_at" timestamp (3) with time zone NOT NULL
);
--> statement-breakpoint
CREATE TABLE "attempts" (
	"id" bigserial PRIMARY KEY NOT NULL,
	"delivery_id" bigint NOT NULL,
	"number" integer NOT NULL,
	"at" timestamp (3) with time zone NOT NULL,
	"outcome" text NOT NULL,
	"status" integer,
	"duration_ms" integer NOT NULL,
	"timings" text,
	"address" text,
	"signature" text,
	"exchange_sealed" "bytea"
);
--> statement-breakpoint
CREATE TABLE "deliveries" (
	"id" bigserial PRIMARY KEY NOT NULL,
	"event_id" bigint NOT NULL,
	"channel" text NOT NULL,
	"lane" bigint,
	"status" text NOT NULL,
	"step" integer DEFAULT 0 NOT NULL,
	"tries" integer DEFAULT 0 NOT NULL,
	"next_at" timestamp (3) with time zone,
	"worker" bigint,
	"order_key" bigint,
	"seq" bigint,
	"extended" boolean DEFAULT false NOT NULL,
	"reason" text,
	"finished_at" timestamp (3) with time zone
);
--> statement-breakpoint
CREATE TABLE "lane_hours" (
	"lane" bigint NOT NULL,
	"hour" integer NOT NULL,
	"delivered" integer NOT NULL,
	"failed" integer NOT NULL,
	"total_ms" bigint NOT NULL,
	"slowest_ms" integer NOT NULL
);
--> statement-breakpoint
CREATE TABLE "lane_sequences" (
	"lane" bigint NOT NULL,
	"subject_key" bigint NOT NULL,
	"last" bigint NOT NULL
);
--> statement-breakpoint
CREATE TABLE "outbox_workers" (
	"id" bigserial PRIMARY KEY NOT NULL,
	"alive_until" timestamp (3) with time zone NOT NULL
);
--> statement-breakpoint
CREATE TABLE "webhook_endpoints" (
	"id" bigserial PRIMARY KEY NOT NULL,
	"app_id" bigint NOT NULL,
	"url" text NOT NULL,
	"description" text DEFAULT '' NOT NULL,
	"types" text NOT NULL,
	"payload_format" text NOT NULL,
	"ordered" boolean NOT NULL,
	"rate_per_second" integer NOT NULL,
	"concurrency" integer NOT NULL,
	"timeout_ms" integer NOT NULL,
	"secrets_sealed" "bytea" NOT NULL,
	"public_key" text,
	"state" text NOT NULL,
	"state_reason" text,
	"state_at" timestamp (3) with time zone NOT NULL,
	"last_success_at" timestamp (3) with time zone,
	"last_failure_at" timestamp (3) with time zone,
	"failing_since" timestamp (3) with time zone,
	"open_until" timestamp (3) with time zone,
	"openings" integer DEFAULT 0 NOT NULL,
	"version" integer DEFAULT 1 NOT NULL,
	"created_at" timestamp (3) with time zone NOT NULL,
	"updated_at" timestamp (3) with time zone NOT NULL
);
--> statement-breakpoint
CREATE TABLE "notification_preferences" (
	"id" bigserial PRIMARY KEY NOT NULL,
	"user_id" bigint NOT NULL,
	"choices" text NOT NULL,
	"telegram_ended_at" timestamp (3) with time zone,
	"telegram_end_reason" text
);
--> statement-breakpoint
ALTER TABLE "apps" ADD COLUMN "subscriptions" text DEFAULT '[]' NOT NULL;--> statement-breakpoint
ALTER TABLE "event_types" ADD CONSTRAINT "event_types_app_id_apps_id_fk" FOREIGN KEY ("app_id") REFERENCES "public"."apps"("id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "events" ADD CONSTRAINT "events_app_id_apps_id_fk" FOREIGN KEY ("app_id") REFERENCES "public"."apps"("id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "idempotency_keys" ADD CONSTRAINT "idempotency_keys_app_id_apps_id_fk" FOREIGN KEY ("app_id") REFERENCES "public"."apps"("id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "attempts" ADD CONSTRAINT "attempts_delivery_id_deliveries_id_fk" FOREIGN KEY ("delivery_id") REFERENCES "public"."deliveries"("id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "deliveries" ADD CONSTRAINT "deliveries_event_id_events_id_fk" FOREIGN KEY ("event_id") REFERENCES "public"."events"("id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "webhook_endpoints" ADD CONSTRAINT "webhook_endpoints_app_id_apps_id_fk" FOREIGN KEY ("app_id") REFERENCES "public"."apps"("id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "notification_preferences" ADD CONSTRAINT "notification_preferences_user_id_users_id_fk" FOREIGN KEY ("user_id") REFERENCES "public"."users"("id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
CREATE UNIQUE INDEX "event_types_key" ON "event_types" USING btree ("app_id","key");--> statement-breakpoint
CREATE INDEX "events_app" ON "events" USING btree ("app_id","id");--> statement-breakpoint
CREATE INDEX "events_type" ON "events" USING btree ("type","id");--> statement-breakpoint
CREATE INDEX "events_subject" ON "events" USING btree ("subject_key","id") WHERE "events"."subject_key" is not null;--> statement-breakpoint
CREATE INDEX "events_user" ON "events" USING btree ("user_id","id") WHERE "events"."user_id" is not null;--> statement-breakpoint
CREATE INDEX "events_created" ON "events" USING btree ("created_at");--> statement-breakpoint
CREATE UNIQUE INDEX "idempotency_keys_key" ON "idempotency_keys" USING btree ("app_id","key_hash");--> statement-breakpoint
CREATE INDEX "idempotency_keys_created" ON "idempotency_keys" USING btree ("created_at");--> statement-breakpoint
CREATE INDEX "attempts_delivery" ON "attempts" USING btree ("delivery_id","id");--> statement-breakpoint
CREATE INDEX "deliveries_event" ON "deliveries" USING btree ("event_id");--> statement-breakpoint
CREATE INDEX "deliveries_lane" ON "deliveries" USING btree ("lane","event_id") WHERE "deliveries"."lane" is not null;--> statement-breakpoint
CREATE INDEX "deliveries_due" ON "deliveries" USING btree ("lane","next_at","id") WHERE status = 'pending';--> statement-breakpoint
CREATE INDEX "deliveries_sending" ON "deliveries" USING btree ("worker") WHERE status = 'sending';--> statement-breakpoint
CREATE INDEX "deliveries_order" ON "deliveries" USING btree ("lane","order_key","id") WHERE order_key is not null and status in ('pending', 'sending');--> statement-breakpoint
CREATE INDEX "deliveries_dead" ON "deliveries" USING btree ("event_id") WHERE status = 'dead';--> statement-breakpoint
CREATE INDEX "deliveries_held" ON "deliveries" USING btree ("event_id") WHERE status = 'held';--> statement-breakpoint
CREATE INDEX "deliveries_skipped" ON "deliveries" USING btree ("event_id") WHERE status = 'skipped';--> statement-breakpoint
CREATE INDEX "deliveries_people" ON "deliveries" USING btree ("channel","event_id") WHERE channel <> 'webhook';--> statement-breakpoint
CREATE UNIQUE INDEX "lane_hours_lane" ON "lane_hours" USING btree ("lane","hour");--> statement-breakpoint
CREATE UNIQUE INDEX "lane_sequences_subject" ON "lane_sequences" USING btree ("lane","subject_key");--> statement-breakpoint
CREATE INDEX "webhook_endpoints_app" ON "webhook_endpoints" USING btree ("app_id");--> statement-breakpoint
CREATE UNIQUE INDEX "notification_preferences_user" ON "notification_preferences" USING btree ("user_id");