import type { ServiceApp } from "@slipway/host";
import type { Layout } from "./layout.ts";

/** `~/`: what runs and where to look. */
export function pageRoutes(app: ServiceApp, layout: Layout): void {
  const links = [
    ["/docs", "the API, with every endpoint"],
    ["/inbox", "notifications"],
    ["/readyz", "whether every service works"],
    ["/metrics", "the platform's own figures"],
  ];
  const rows = links.map(([href, what]) => `<li><a href="${href}">${href}</a> ${what}</li>`).join("");
  const regions = layout.regions
    .map(
      ({ name, mesh_url, kubeconfig }) =>
        `<li><b>${name}</b> mesh ${mesh_url}<br><code>kubectl --kubeconfig ${escapeHtml(kubeconfig)} get pods,virtualservices -A -o wide</code></li>`,
    )
    .join("");
  const html = `<!doctype html><html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>Slipway</title>
<style>:root{color-scheme:light dark}body{font:16px/1.5 system-ui,sans-serif;max-width:44rem;margin:3rem auto;padding:0 1rem}code{font-size:.85em;overflow-wrap:anywhere}li{margin:.5rem 0}</style>
<h1>Slipway</h1><p>This platform is running.</p><ul>${rows}</ul><h2>Regions</h2><ul>${regions}</ul></html>`;
  app.raw.get("/", async (_request, reply) => reply.type("text/html; charset=utf-8").send(html));
}

function escapeHtml(text: string): string {
  return text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll('"', "&quot;");
}
