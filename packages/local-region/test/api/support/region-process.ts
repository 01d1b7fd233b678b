import { startApiServer } from "../../../src/index.ts";
import { quiet } from "../../support/quiet.ts";

/** A region's API in a process of its own, which a test can kill. Prints how to reach it. */
const [, , dir = ""] = process.argv;
const { url, caPem, adminToken } = await startApiServer({ name: "eu-west-1", dir, port: 0, log: quiet });
process.stdout.write(`${JSON.stringify({ url, caPem, adminToken })}\n`);
