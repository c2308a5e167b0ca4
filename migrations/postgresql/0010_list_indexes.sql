CREATE INDEX "users_created" ON "users" USING btree ("created_at");--> statement-breakpoint
CREATE INDEX "users_blocked" ON "users" USING btree ("id") WHERE "users"."blocked_at" is not null;--> statement-breakpoint
CREATE INDEX "users_app_blocked" ON "users" USING btree ("app_id","id") WHERE "users"."blocked_at" is not null;--> statement-breakpoint
CREATE INDEX "emails_created" ON "emails" USING btree ("created_at");--> statement-breakpoint
CREATE INDEX "emails_status" ON "emails" USING btree ("status","id");--> statement-breakpoint
CREATE INDEX "emails_app_status" ON "emails" USING btree ("app_id","status","id");--> statement-breakpoint
CREATE INDEX "emails_kind" ON "emails" USING btree ("kind","id");--> statement-breakpoint
-- A log from before the hash of its newest entry was kept apart gets it here, once.
INSERT INTO "facts" ("key", "value") SELECT 'audit_head', "hash" FROM "audit_log" ORDER BY "id" DESC LIMIT 1;
