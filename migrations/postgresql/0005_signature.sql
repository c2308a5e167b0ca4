CREATE TABLE "link_codes" (
	"id" bigserial PRIMARY KEY NOT NULL,
	"user_id" bigint NOT NULL,
	"email_hash" "bytea" NOT NULL,
	"resolved_at" timestamp (3) with time zone,
	"target_id" bigint,
	"code_hash" "bytea",
	"tries" integer DEFAULT 0 NOT NULL,
	"expires_at" timestamp (3) with time zone NOT NULL,
	"locked_until" timestamp (3) with time zone
);
--> statement-breakpoint
CREATE TABLE "signature_codes" (
	"id" bigserial PRIMARY KEY NOT NULL,
	"user_id" bigint NOT NULL,
	"code_hash" "bytea" NOT NULL,
	"email_sealed" "bytea",
	"tries" integer DEFAULT 0 NOT NULL,
	"expires_at" timestamp (3) with time zone NOT NULL
);
--> statement-breakpoint
CREATE TABLE "signatures" (
	"id" bigserial PRIMARY KEY NOT NULL,
	"user_id" bigint NOT NULL,
	"secret" text,
	"changed_at" timestamp (3) with time zone,
	"email_sealed" "bytea",
	"questions_sealed" "bytea",
	"answers" text,
	"questions_at" timestamp (3) with time zone,
	"wrong_tries" integer DEFAULT 0 NOT NULL,
	"locked_until" timestamp (3) with time zone,
	"reset_locked_until" timestamp (3) with time zone
);
--> statement-breakpoint
CREATE TABLE "email_attempts" (
	"id" bigserial PRIMARY KEY NOT NULL,
	"email_id" bigint NOT NULL,
	"number" integer NOT NULL,
	"at" timestamp (3) with time zone NOT NULL,
	"duration_ms" integer NOT NULL,
	"outcome" text NOT NULL,
	"status" integer,
	"response" text
);
--> statement-breakpoint
CREATE TABLE "email_suppressions" (
	"id" bigserial PRIMARY KEY NOT NULL,
	"to_hash" "bytea" NOT NULL,
	"to_sealed" "bytea" NOT NULL,
	"reason" text NOT NULL,
	"created_at" timestamp (3) with time zone NOT NULL,
	"until" timestamp (3) with time zone
);
--> statement-breakpoint
CREATE TABLE "email_template_versions" (
	"id" bigserial PRIMARY KEY NOT NULL,
	"template_id" bigint NOT NULL,
	"number" integer NOT NULL,
	"content" text NOT NULL,
	"created_at" timestamp (3) with time zone NOT NULL,
	"created_by" text NOT NULL,
	"restored_from" integer
);
--> statement-breakpoint
CREATE TABLE "email_templates" (
	"id" bigserial PRIMARY KEY NOT NULL,
	"app_id" bigint NOT NULL,
	"kind" text NOT NULL,
	"locale" text NOT NULL,
	"revision" integer NOT NULL,
	"published" integer,
	"draft" text,
	"updated_at" timestamp (3) with time zone NOT NULL,
	"updated_by" text NOT NULL
);
--> statement-breakpoint
CREATE TABLE "emails" (
	"id" bigserial PRIMARY KEY NOT NULL,
	"app_id" bigint NOT NULL,
	"user_id" bigint,
	"kind" text NOT NULL,
	"locale" text NOT NULL,
	"to_hash" "bytea" NOT NULL,
	"to_sealed" "bytea" NOT NULL,
	"variables_sealed" "bytea",
	"draft_sealed" "bytea",
	"content_sealed" "bytea",
	"status" text NOT NULL,
	"reason" text,
	"detail" text,
	"template_version" integer,
	"fallback" text,
	"tries" integer DEFAULT 0 NOT NULL,
	"next_at" timestamp (3) with time zone,
	"leased_until" timestamp (3) with time zone,
	"handed_at" timestamp (3) with time zone,
	"resend_of" bigint,
	"created_at" timestamp (3) with time zone NOT NULL,
	"expires_at" timestamp (3) with time zone,
	"finished_at" timestamp (3) with time zone,
	"wiped_at" timestamp (3) with time zone
);
--> statement-breakpoint
ALTER TABLE "link_codes" ADD CONSTRAINT "link_codes_user_id_users_id_fk" FOREIGN KEY ("user_id") REFERENCES "public"."users"("id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "signature_codes" ADD CONSTRAINT "signature_codes_user_id_users_id_fk" FOREIGN KEY ("user_id") REFERENCES "public"."users"("id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "signatures" ADD CONSTRAINT "signatures_user_id_users_id_fk" FOREIGN KEY ("user_id") REFERENCES "public"."users"("id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "email_attempts" ADD CONSTRAINT "email_attempts_email_id_emails_id_fk" FOREIGN KEY ("email_id") REFERENCES "public"."emails"("id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "email_template_versions" ADD CONSTRAINT "email_template_versions_template_id_email_templates_id_fk" FOREIGN KEY ("template_id") REFERENCES "public"."email_templates"("id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "email_templates" ADD CONSTRAINT "email_templates_app_id_apps_id_fk" FOREIGN KEY ("app_id") REFERENCES "public"."apps"("id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "emails" ADD CONSTRAINT "emails_app_id_apps_id_fk" FOREIGN KEY ("app_id") REFERENCES "public"."apps"("id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "emails" ADD CONSTRAINT "emails_user_id_users_id_fk" FOREIGN KEY ("user_id") REFERENCES "public"."users"("id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
CREATE UNIQUE INDEX "link_codes_user" ON "link_codes" USING btree ("user_id");--> statement-breakpoint
CREATE UNIQUE INDEX "signature_codes_user" ON "signature_codes" USING btree ("user_id");--> statement-breakpoint
CREATE UNIQUE INDEX "signatures_user" ON "signatures" USING btree ("user_id");--> statement-breakpoint
CREATE INDEX "email_attempts_email" ON "email_attempts" USING btree ("email_id","id");--> statement-breakpoint
CREATE UNIQUE INDEX "email_suppressions_to" ON "email_suppressions" USING btree ("to_hash");--> statement-breakpoint
CREATE UNIQUE INDEX "email_template_versions_number" ON "email_template_versions" USING btree ("template_id","number");--> statement-breakpoint
CREATE UNIQUE INDEX "email_templates_key" ON "email_templates" USING btree ("app_id","kind","locale");--> statement-breakpoint
CREATE INDEX "emails_due" ON "emails" USING btree ("next_at","id") WHERE status = 'queued';--> statement-breakpoint
CREATE INDEX "emails_sending" ON "emails" USING btree ("leased_until") WHERE status = 'sending';--> statement-breakpoint
CREATE INDEX "emails_app" ON "emails" USING btree ("app_id","id");--> statement-breakpoint
CREATE INDEX "emails_user" ON "emails" USING btree ("user_id");--> statement-breakpoint
CREATE INDEX "emails_to" ON "emails" USING btree ("to_hash","id");--> statement-breakpoint
CREATE INDEX "emails_code" ON "emails" USING btree ("expires_at") WHERE expires_at is not null and wiped_at is null;