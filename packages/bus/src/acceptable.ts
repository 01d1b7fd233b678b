import { CloudEvent } from "@slipway/contracts";
import { jsonText } from "@slipway/sql";

/** Kafka takes 1 MB at once by default, with its own envelope. No backend takes more, so that nothing depends on which it is. */
const mostBytes = 900_000;

/** An event or a topic that no backend takes, now or later. The message says why. */
export class NotAcceptable extends Error {}

/** Throws NotAcceptable for a name that Kafka cannot have. */
export function checkTopic(topic: string): void {
  if (/^[a-zA-Z0-9._-]{1,249}$/.test(topic) && !/^\.{1,2}$/.test(topic)) return;
  throw new NotAcceptable(
    `there is no topic called "${topic.slice(0, 300)}": letters, digits, dot, underscore and dash only, 249 at most`,
  );
}

/** The event as text, which every database can hold. Throws ZodError when it is none, NotAcceptable when it is too large. */
export function textOf(topic: string, event: CloudEvent): { readonly subject: string; readonly text: string } {
  const body = CloudEvent.parse(event);
  const text = jsonText(body);
  const bytes = Buffer.byteLength(text);
  if (bytes <= mostBytes) return { subject: body.subject, text };
  throw new NotAcceptable(
    `the event ${body.id.slice(0, 100)} (${body.type.slice(0, 100)}) for ${topic} has ${bytes} bytes, and ${mostBytes} is the most that an event may have`,
  );
}
