import { PageRollbackRequest, PageSignIn, type RawOperation, ShipRequest } from "@slipway/contracts";
import { z } from "zod";

const json = "application/json";
const session = z.object({ may: z.enum(["look", "ship"]) });

/** The live page: its files, and what it asks its platform. */
export const pageOperations: readonly RawOperation[] = [
  {
    id: "showPage",
    method: "GET",
    path: "/",
    summary: "The live page",
    auth: "none",
    answers: { 200: { description: "The page", type: "text/html" } },
    errors: "none",
  },
  {
    id: "getPageAsset",
    method: "GET",
    path: "/page/assets/:name",
    summary: "A file of the page",
    auth: "none",
    answers: { 200: { description: "The file", type: "application/octet-stream" } },
    errors: "problem",
  },
  {
    id: "getPageSession",
    method: "GET",
    path: "/page/session",
    summary: "What the browser's session allows",
    auth: "session",
    answers: { 200: { description: "The session", type: json, schema: session } },
    errors: "problem",
  },
  {
    id: "signInToPage",
    method: "POST",
    path: "/page/session",
    summary: "Sign a browser in with the code that npm start prints, or with a token",
    auth: "none",
    body: { [json]: PageSignIn },
    answers: { 200: { description: "The session, as a cookie too", type: json, schema: session } },
    errors: "problem",
  },
  {
    id: "followPage",
    method: "GET",
    path: "/page/events",
    summary: "Everything the page shows, whole, at each change",
    auth: "session",
    answers: { 200: { description: "Events with the whole view as JSON", type: "text/event-stream" } },
    errors: "problem",
  },
  {
    id: "showInboxInPage",
    method: "GET",
    path: "/page/inbox",
    summary: "The inbox, for who is signed in to the page",
    auth: "session",
    answers: { 200: { description: "The page of notifications", type: "text/html" } },
    errors: "problem",
  },
  {
    id: "shipFromPage",
    method: "POST",
    path: "/page/ship",
    summary: "Ship one of the example's changes",
    auth: "session",
    roles: ["deployer"],
    body: { [json]: ShipRequest },
    answers: { 202: { description: "What is on its way", type: json } },
    errors: "problem",
  },
  {
    id: "rollBackFromPage",
    method: "POST",
    path: "/page/rollback",
    summary: "Take a deployment back",
    auth: "session",
    roles: ["deployer"],
    body: { [json]: PageRollbackRequest },
    answers: { 202: { description: "It is on its way", type: json } },
    errors: "problem",
  },
];
