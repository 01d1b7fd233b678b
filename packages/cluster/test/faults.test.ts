import { faultAnswersContract, impatientMs } from "./support/fault-answers.contract.ts";
import { localApi } from "./support/local-api.ts";

faultAnswersContract(async () => {
  const api = await localApi();
  const patient = await api.open({ timeoutMs: 10_000 });
  const connection = await api.open({ timeoutMs: impatientMs });
  return { faults: api.faults, admin: patient, patient, connection, close: () => api.close() };
});
