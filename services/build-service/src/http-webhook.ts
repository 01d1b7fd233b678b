import { BuildIdSchema, GitShaSchema, ProblemError, type RawOperation, ServiceNameSchema } from "@slipway/contracts";
import type { ServiceApp } from "@slipway/host";
import { z } from "zod";
import { receiveWebhook, type WebhookPorts } from "./receive-webhook.ts";

const required = (name: string, description: string) => ({ name, in: "header", required: true, description }) as const;

const webhook: RawOperation = {
  id: "receiveGithubWebhook",
  method: "POST",
  path: "/webhooks/github",
  summary: "A delivery of GitHub; a push to a branch starts a build",
  auth: "signature",
  parameters: [
    required("X-GitHub-Event", "Only `push` builds."),
    required("X-GitHub-Delivery", "One that comes again is answered as before."),
    required("X-Hub-Signature-256", "HMAC-SHA256 over the raw body with the repository's secret."),
  ],
  body: { "application/json": null, "application/x-www-form-urlencoded": null },
  answers: {
    200: {
      description: "Understood, and nothing to build",
      type: "application/json",
      schema: z.object({ ignored: z.string() }),
    },
    202: {
      description: "The build that it started",
      type: "application/json",
      schema: z.object({ build_id: BuildIdSchema, service: ServiceNameSchema, git_sha: GitShaSchema }),
    },
  },
  errors: "problem",
};

/** GitHub sends at most 25 MB. */
const largestBody = 26 * 1_024 * 1_024;

/** POST /webhooks/github: the signature is of the raw bytes, so the body is taken as it comes. */
export async function webhookRoutes(app: ServiceApp, ports: WebhookPorts): Promise<void> {
  app.describe(webhook);
  await app.raw.register(async (scope) => {
    scope.removeAllContentTypeParsers();
    const raw = { parseAs: "buffer", bodyLimit: largestBody } as const;
    scope.addContentTypeParser(Object.keys(webhook.body ?? {}), raw, (_request, body, done) => done(null, body));
    scope.post(webhook.path, { bodyLimit: largestBody }, async (request, reply) => {
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
    throw new ProblemError("webhook.payload_invalid", `The header ${name} is missing or longer than 200 characters.`);
  }
  return value;
}

function single(value: string | string[] | undefined): string | undefined {
  return Array.isArray(value) ? value[0] : value;
}
