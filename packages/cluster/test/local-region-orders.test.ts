import { fenceOrdersContract } from "./support/fence-orders.contract.ts";
import { localApi } from "./support/local-api.ts";

fenceOrdersContract(async () => {
  const api = await localApi();
  const connection = await api.open();
  return { connection, admin: connection, close: () => api.close() };
});
