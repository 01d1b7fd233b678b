import { anyRole, listNotifications, type RawOperation } from "@slipway/contracts";
import type { ServiceApp } from "@slipway/host";
import { idOf } from "./deliverer.ts";
import { inboxPage, inboxPolicy } from "./inbox-page.ts";
import { listRows, type NotificationDb } from "./store.ts";

const inboxLength = 200;

const inbox: RawOperation = {
  id: "showInbox",
  method: "GET",
  path: "/inbox",
  summary: "Notifications as a page for people",
  auth: "token",
  roles: anyRole,
  answers: { 200: { description: "The page", type: "text/html" } },
  errors: "problem",
};

export function routes(app: ServiceApp, db: NotificationDb): void {
  app.serve(listNotifications, async ({ query }) => {
    const rows = await listRows(
      db,
      query.page_size + 1,
      query.page_token === undefined ? undefined : Number(query.page_token),
    );
    const page = rows.slice(0, query.page_size);
    const last = page.at(-1);
    return {
      notifications: page.map((row) => ({
        notification_id: idOf(row),
        about: row.about,
        channel: row.channel,
        title: row.notice.title,
        text: [row.notice.text, ...(row.notice.byHand?.lines ?? [])].join("\n"),
        state: row.state,
        attempts: row.attempts,
        created_at: row.createdAt,
        delivered_at: row.deliveredAt,
        settled: row.settled === null || row.settledAt === null ? null : { how: row.settled, at: row.settledAt },
      })),
      next_page_token: rows.length > page.length && last !== undefined ? String(last.number) : null,
    };
  });

  app.describe(inbox);
  app.raw.get(inbox.path, async (request, reply) => {
    // A browser can show a password prompt, not set a bearer header: the password is the token.
    await app.authorize(request, anyRole, { challenge: "basic" });
    return reply
      .header("content-security-policy", inboxPolicy)
      .header("cache-control", "no-store")
      .header("x-content-type-options", "nosniff")
      .type("text/html; charset=utf-8")
      .send(inboxPage(await listRows(db, inboxLength)));
  });
}
