DROP INDEX "deliveries_dead";--> statement-breakpoint
DROP INDEX "deliveries_held";--> statement-breakpoint
DROP INDEX "deliveries_skipped";--> statement-breakpoint
DROP INDEX "deliveries_people";--> statement-breakpoint
CREATE INDEX "deliveries_waiting" ON "deliveries" USING btree ("event_id","tries","channel","lane") WHERE status = 'pending';--> statement-breakpoint
CREATE INDEX "deliveries_dead" ON "deliveries" USING btree ("event_id","channel","lane") WHERE status = 'dead';--> statement-breakpoint
CREATE INDEX "deliveries_held" ON "deliveries" USING btree ("event_id","channel","lane") WHERE status = 'held';--> statement-breakpoint
CREATE INDEX "deliveries_skipped" ON "deliveries" USING btree ("event_id","channel","lane") WHERE status = 'skipped';--> statement-breakpoint
CREATE INDEX "deliveries_people" ON "deliveries" USING btree ("channel","event_id","status") WHERE channel <> 'webhook';