import { randomBytes } from "node:crypto";
import type { IncomingMessage, ServerResponse } from "node:http";
import { type AwsRefusal, signatureRefusal } from "./signature.ts";
import { type EcrState, passwordMs } from "./state.ts";

const prefix = "AmazonEC2ContainerRegistry_V20150921.";

/** The operation that a request to ECR's own API (AWS JSON 1.1) asks for; undefined for a request to the registry. */
export function operationOf({ headers }: IncomingMessage): string | undefined {
  const target = headers["x-amz-target"];
  return typeof target === "string" && target.startsWith(prefix) ? target.slice(prefix.length) : undefined;
}

type ApiAnswer = { readonly status: 200 | 400; readonly body: object };

/** GetAuthorizationToken and CreateRepository, for whoever signs with the one key. */
export function answerApi(
  state: EcrState,
  operation: string,
  request: IncomingMessage,
  body: Buffer,
  response: ServerResponse,
): void {
  const answer = answerOf(state, operation, request, body);
  response.writeHead(answer.status, { "content-type": "application/x-amz-json-1.1" }).end(JSON.stringify(answer.body));
}

function answerOf(state: EcrState, operation: string, request: IncomingMessage, body: Buffer): ApiAnswer {
  const scope = `/${state.region}/ecr/aws4_request`;
  if (!request.headers.authorization?.includes(scope)) {
    return refused({ name: "InvalidSignatureException", message: "Credential should be scoped to a valid region." });
  }
  const refusal = signatureRefusal(request, body, state.key);
  if (refusal !== undefined) return refused(refusal);
  const input = JSON.parse(body.toString("utf8") || "{}") as Record<string, unknown>;
  if (operation === "GetAuthorizationToken") return state.allowed ? password(state) : denied(operation);
  if (operation === "CreateRepository") return state.mayMake ? created(state, input) : denied(operation);
  return refused({ name: "UnknownOperationException", message: operation });
}

function password(state: EcrState): ApiAnswer {
  const value = randomBytes(24).toString("base64url");
  const until = Date.now() + passwordMs;
  state.passwords.set(value, until);
  const authorizationToken = Buffer.from(`AWS:${value}`).toString("base64");
  const proxyEndpoint = `https://${state.account}.dkr.ecr.${state.region}.amazonaws.com`;
  const authorizationData = [{ authorizationToken, expiresAt: until / 1_000, proxyEndpoint }];
  return { status: 200, body: { authorizationData } };
}

function created(state: EcrState, input: Record<string, unknown>): ApiAnswer {
  const name = String(input.repositoryName ?? "");
  if (state.repositories.has(name)) {
    const message = `The repository with name '${name}' already exists in the registry with id '${state.account}'`;
    return refused({ name: "RepositoryAlreadyExistsException", message });
  }
  const { imageTagMutability = "MUTABLE" } = input;
  state.repositories.set(name, { immutable: imageTagMutability === "IMMUTABLE" });
  const repository = { repositoryName: name, registryId: state.account, imageTagMutability };
  return { status: 200, body: { repository } };
}

function denied(operation: string): ApiAnswer {
  const message = `User: arn:aws:iam::123456789012:user/x is not authorized to perform: ecr:${operation} on resource: *`;
  return refused({ name: "AccessDeniedException", message });
}

function refused({ name, message }: AwsRefusal): ApiAnswer {
  return { status: 400, body: { __type: name, message } };
}
