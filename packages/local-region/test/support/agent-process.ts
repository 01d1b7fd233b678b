import { startAgent } from "../../src/index.ts";
import { quiet } from "./quiet.ts";

/** An agent in a process of its own, to be killed: `node agent-process.ts <dir> <imagesDir> <kubeconfig>`. */
const [, , dir = "", imagesDir = "", kubeconfig = ""] = process.argv;
await startAgent({ region: "test", node: "n1", kubeconfig, dir, imagesDir, log: quiet });
process.stdout.write("started\n");
setInterval(() => undefined, 60_000);
