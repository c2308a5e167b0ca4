CREATE TABLE "erased_users" (
	"id" bigint NOT NULL,
	"created_at" timestamp (3) with time zone NOT NULL,
	"erased_at" timestamp (3) with time zone NOT NULL
);
--> statement-breakpoint
CREATE TABLE "personal_keys" (
	"tag" "bytea" PRIMARY KEY NOT NULL,
	"user_id" bigint NOT NULL,
	"sealed" "bytea" NOT NULL
);
--> statement-breakpoint
ALTER TABLE "personal_keys" ADD CONSTRAINT "personal_keys_user_id_users_id_fk" FOREIGN KEY ("user_id") REFERENCES "public"."users"("id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
CREATE UNIQUE INDEX "erased_users_key" ON "erased_users" USING btree ("id","created_at");--> statement-breakpoint
CREATE INDEX "personal_keys_user" ON "personal_keys" USING btree ("user_id");