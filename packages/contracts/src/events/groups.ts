/** What services call themselves to the bus: events are kept for each of these by itself. An operator gives rights by these names. */
export const consumerGroups = [
  "artifact-registry",
  "deployment-orchestrator",
  "deployment-orchestrator-pushes",
  "metrics-aggregator",
  "notification-service",
  "rollback-controller",
] as const;

export type ConsumerGroup = (typeof consumerGroups)[number];
