ALTER TABLE "emails" ADD COLUMN "delivery_id" bigint;--> statement-breakpoint
CREATE INDEX "emails_delivery" ON "emails" USING btree ("delivery_id") WHERE "emails"."delivery_id" is not null;