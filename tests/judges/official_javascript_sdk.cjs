// Prints, as JSON, the ids that the official JavaScript SDK finds in every list.
const { TwelveLabs, TwelvelabsApiEnvironment } = require("twelvelabs-js");

const [baseUrl, apiKey, index] = process.argv.slice(2);
// Version 1.3.4 takes no address: its constructor reads only `apiKey`.
TwelvelabsApiEnvironment.Default = baseUrl;
const sdk = new TwelveLabs({ apiKey });

async function walk(pager, id) {
  const found = [];
  for await (const item of await pager) found.push(item[id]);
  return found;
}

async function main() {
  const pageLimit = 50;
  const analyses = await sdk.analyzeAsync.tasks.list({ pageLimit });
  const lists = {
    tasks: await walk(sdk.tasks.list({ pageLimit }), "id"),
    indexed_assets: await walk(sdk.indexes.indexedAssets.list(index), "id"),
    embedding_tasks: await walk(sdk.embed.v2.tasks.list(), "id"),
    older_embedding_tasks: await walk(sdk.embed.tasks.list(), "id"),
    analysis_batches: await walk(sdk.analyzeAsync.batches.list({ pageLimit }), "batchId"),
    analysis_tasks: analyses.data.map((task) => task.taskId), // one page: the SDK has no pager
  };
  const retrieved = await sdk.tasks.retrieve(lists.tasks[0]);
  const missing = await sdk.tasks.retrieve("nothing").catch((error) => error.statusCode);
  console.log(JSON.stringify({ lists, retrieved: retrieved.id, missing }));
}

main().catch((error) => {
  console.error(error);
  process.exit(1);
});
