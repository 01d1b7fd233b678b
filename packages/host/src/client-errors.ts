import type { Socket } from "node:net";
import { type ErrorCode, errorCatalogue, ProblemError, problemBody } from "@slipway/contracts";

type ClientError = Error & { readonly code?: string };

/**
 * Answers what could not be read as HTTP at all (no request exists yet) as a problem like every other, and closes the connection: what
 * follows on it cannot be told from the broken part.
 */
export function answerClientError(error: ClientError, socket: Socket): void {
  if (error.code === "ECONNRESET" || !socket.writable) {
    socket.destroy();
    return;
  }
  const [code, detail] = said(error);
  const body = JSON.stringify(problemBody(new ProblemError(code, detail)));
  const { status, title } = errorCatalogue[code];
  const head = [
    `HTTP/1.1 ${status} ${title}`,
    "content-type: application/problem+json",
    `content-length: ${Buffer.byteLength(body)}`,
    "connection: close",
  ];
  socket.end(`${head.join("\r\n")}\r\n\r\n${body}`);
}

function said({ code }: ClientError): readonly [ErrorCode, string] {
  if (code === "HPE_HEADER_OVERFLOW") {
    return ["request.headers_too_large", "The headers with the URL are longer than 16 KiB."];
  }
  if (code === "ERR_HTTP_REQUEST_TIMEOUT") return ["request.timeout", "The request did not arrive whole in time."];
  return ["request.malformed", "This is not HTTP/1.1: the request line or a header cannot be read."];
}
