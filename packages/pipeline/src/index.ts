export { copyTree, freshFolder } from "./copy-tree.ts";
export { installTools } from "./install-tools.ts";
export { inputsOf, leavesOf, type PlannedStep, planProblems } from "./plan.ts";
export { type FileError, fileErrorText, type ParsedFile, parseSlipwayYaml } from "./slipway-yaml.ts";
export { stepCommand, type Tools } from "./step-command.ts";
