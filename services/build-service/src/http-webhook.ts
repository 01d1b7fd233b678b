import { ProblemError } from "@slipway/contracts";
import type { ServiceApp } from "@slipway/host";
import { receiveWebhook, type WebhookPorts } from "./receive-webhook.ts";

/** GitHub sends at most 25 MB. */
const largestBody = 26 * 1_024 * 1_024;

/** POST /webhooks/github: the signature is of the raw bytes, so the body is taken as it comes. */
export async function webhookRoutes(app: ServiceApp, ports: WebhookPorts): Promise<void> {
  await app.raw.register(async (scope) => {
    scope.removeAllContentTypeParsers();
    const raw = { parseAs: "buffer", bodyLimit: largestBody } as const;
    scope.addContentTypeParser("application/json", raw, (_request, body, done) => done(null, body));
    scope.post("/webhooks/github", { bodyLimit: largestBody }, async (request, reply) => {
      const body = request.body instanceof Uint8Array ? request.body : new Uint8Array();
      const answer = await receiveWebhook(
        ports,
        {
          event: header(request.headers, "x-github-event"),
          delivery: header(request.headers, "x-github-delivery"),
          signature: single(request.headers["x-hub-signature-256"]),
        },
        body,
      );
      return reply.status(answer.status).send(answer.body);
    });
  });
}

type Headers = Readonly<Record<string, string | string[] | undefined>>;

function header(headers: Headers, name: string): string {
  const value = single(headers[name]);
  if (value === undefined || value === "" || value.length > 200) {
    throw new ProblemError("webhook.payload_invalid", `the header ${name} is missing or too long`);
  }
  return value;
}

function single(value: string | string[] | undefined): string | undefined {
  return Array.isArray(value) ? value[0] : value;
}
