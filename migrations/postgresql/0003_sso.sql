CREATE TABLE "erased_sessions" (
	"id" bigint PRIMARY KEY NOT NULL,
	"app_id" bigint NOT NULL,
	"ended_at" timestamp (3) with time zone NOT NULL
);
--> statement-breakpoint
ALTER TABLE "erased_sessions" ADD CONSTRAINT "erased_sessions_app_id_apps_id_fk" FOREIGN KEY ("app_id") REFERENCES "public"."apps"("id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
CREATE INDEX "erased_sessions_ended" ON "erased_sessions" USING btree ("ended_at");