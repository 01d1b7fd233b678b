import {
  type ArtifactView,
  approvePromotion as approveEndpoint,
  getArtifact,
  getImport,
  listArtifacts as listEndpoint,
  listImports as listImportsEndpoint,
  listPromotions,
  ProblemError,
  type PromotionView,
  publishArtifact,
  type Role,
  registerArtifact,
  requestPromotion as requestEndpoint,
} from "@slipway/contracts";
import type { Principal, ServiceApp } from "@slipway/host";
import type { Digest, ImportId, Refusal } from "@slipway/kernel";
import type { z } from "zod";
import type { Promotion } from "./domain/promotion.ts";
import { askImport } from "./import/ask.ts";
import { importView } from "./import/view.ts";
import { approvePromotion, requestPromotion } from "./promote.ts";
import { askPublication } from "./publish/ask.ts";
import { publicationsOf } from "./publish/view.ts";
import { register } from "./register.ts";
import { readPromotion, type Service } from "./service.ts";
import { type ArtifactRecord, findArtifact, listArtifacts, promotionsOf } from "./store/artifacts.ts";
import { findImport, listImports } from "./store/imports.ts";

type View = z.input<typeof ArtifactView>;

/** Routes of artifacts and promotions: parse, one call, map. */
export function routes(app: ServiceApp, service: Service): void {
  app.serve(registerArtifact, async ({ body, principal, now }) => {
    if ("image" in body) {
      requireRole(principal, "deployer");
      return importView(service, await existingImport(service, await askImport(service, body, principal.name, now)));
    }
    requireRole(principal, "service");
    return viewOf(service, await register(service, body, principal.name, now));
  });
  importRoutes(app, service);
  publicationRoutes(app, service);

  app.serve(listEndpoint, async ({ query }) => {
    const before = query.page_token === undefined ? undefined : Number(query.page_token);
    const filter = { service: query.service, commit: query.git_sha };
    const found = await listArtifacts(service.db, filter, query.page_size, before);
    const last = found.length === query.page_size ? found.at(-1) : undefined;
    return {
      artifacts: await artifactViews(service, found),
      next_page_token: last === undefined ? null : String(last.number),
    };
  });

  app.serve(getArtifact, async ({ params }) => viewOf(service, await existing(service, params.digest)));

  app.serve(requestEndpoint, async ({ params, body, principal, now }) =>
    viewOrRefusal(await requestPromotion(service, { digest: params.digest, to: body.to, by: principal.name, now })),
  );

  app.serve(listPromotions, async ({ params }) => {
    await existing(service, params.digest);
    const rows = await promotionsOf(service.db, params.digest);
    const states = await Promise.all(rows.map((row) => readPromotion(service, row.id)));
    return { promotions: states.map(promotionView) };
  });

  app.serve(approveEndpoint, async ({ params, body, principal }) =>
    viewOrRefusal(await approvePromotion(service, { id: params.id, by: principal.name, reason: body.reason ?? null })),
  );
}

function importRoutes(app: ServiceApp, service: Service): void {
  app.serve(getImport, async ({ params }) => importView(service, await existingImport(service, params.id)));

  app.serve(listImportsEndpoint, async ({ query }) => {
    const before = query.page_token === undefined ? undefined : Number(query.page_token);
    const found = await listImports(service.db, query.service, query.page_size, before);
    const last = found.length === query.page_size ? found.at(-1) : undefined;
    return {
      imports: await Promise.all(found.map((row) => importView(service, row))),
      next_page_token: last === undefined ? null : String(last.number),
    };
  });
}

function publicationRoutes(app: ServiceApp, service: Service): void {
  app.serve(publishArtifact, async ({ params, principal, now }) => {
    const artifact = await existing(service, params.digest);
    await askPublication(service, artifact, principal.name, now);
    const publication = (await publicationsOf(service, [artifact])).get(artifact.digest);
    if (publication !== undefined) return publication;
    throw new ProblemError("publication.nowhere", `${artifact.digest} is pulled from ${service.imageHost()} itself.`);
  });
}

/** The two shapes of a registration are for different callers. */
function requireRole(principal: Principal, role: Role): void {
  if (principal.roles.includes(role) || principal.roles.includes("admin")) return;
  throw new ProblemError("auth.forbidden", `${principal.name} may not do this: it takes the role ${role}.`);
}

async function existingImport(service: Service, id: ImportId) {
  const found = await findImport(service.db, id);
  if (found === undefined) throw new ProblemError("import.not_found", `There is no import ${id}.`);
  return found;
}

async function existing(service: Service, digest: Digest): Promise<ArtifactRecord> {
  const found = await findArtifact(service.db, digest);
  if (found === undefined) throw new ProblemError("artifact.not_found", `There is no artifact ${digest}.`);
  return found;
}

async function artifactViews(service: Service, artifacts: readonly ArtifactRecord[]): Promise<View[]> {
  const publications = await publicationsOf(service, artifacts);
  return artifacts.map((artifact) => {
    const publication = publications.get(artifact.digest) ?? null;
    const here = `${service.imageHost()}/${artifact.service}@${artifact.digest}`;
    return {
      digest: artifact.digest,
      service: artifact.service,
      git_sha: artifact.gitSha,
      // Where it never was whole nobody is to pull it from: an earlier version beside this one deploys from here.
      image: publication === null || publication.published_at === null ? here : publication.image,
      publication,
      spec: artifact.spec,
      provenance: artifact.provenance,
      environments: [...artifact.environments],
      bad_in: [...artifact.badIn],
      created_at: artifact.createdAt,
    };
  });
}

async function viewOf(service: Service, artifact: ArtifactRecord): Promise<View> {
  const [view] = await artifactViews(service, [artifact]);
  if (view === undefined) throw new Error("an artifact has a view");
  return view;
}

const statuses = { pending: "PENDING", promoted: "PROMOTED", rejected: "REJECTED" } as const;

function promotionView(state: Promotion): z.input<typeof PromotionView> {
  const { request, approvals } = state;
  return {
    promotion_id: request.id,
    digest: request.digest,
    service: request.service,
    from: request.from,
    to: request.to,
    status: statuses[state.phase],
    requested_by: request.requestedBy,
    requested_at: request.requestedAt,
    approvals_needed: request.approvalsNeeded,
    approvals: [...approvals],
    decided_at: state.phase === "pending" ? null : state.decidedAt,
  };
}

function viewOrRefusal(answer: Promotion | Refusal): z.input<typeof PromotionView> | Refusal {
  return "kind" in answer ? answer : promotionView(answer);
}
