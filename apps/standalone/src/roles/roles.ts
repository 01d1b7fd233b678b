const roles = {
  region: async (config: string) => (await import("./region.ts")).runRegion(config),
  mesh: async (config: string) => (await import("./mesh.ts")).runMesh(config),
  "rollback-controller": async (config: string) => (await import("./rollback.ts")).runRollback(config),
  load: async (config: string) => (await import("./load.ts")).runLoad(config),
  "git-hook": async (config: string) => (await import("./git-hook.ts")).runGitHook(config),
};
type Role = keyof typeof roles;

export function isRole(name: string): name is Role {
  return Object.hasOwn(roles, name);
}

/** Runs one process of the platform. Only that role's code is loaded. */
export function runRole(role: Role, config: string): Promise<void> {
  return roles[role](config);
}
