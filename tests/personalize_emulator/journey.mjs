// The whole journey with the AWS SDK for JavaScript v3. Arguments: endpoint, S3 location of the interactions.
import { createRequire } from "node:module";

const require = createRequire(process.cwd() + "/");
const control = require("@aws-sdk/client-personalize");
const runtime = require("@aws-sdk/client-personalize-runtime");
const events = require("@aws-sdk/client-personalize-events");

const [endpoint, location] = process.argv.slice(2);
const settings = { endpoint, region: "us-east-1", credentials: { accessKeyId: "test", secretAccessKey: "test" } };
const personalize = new control.PersonalizeClient(settings);
const recommender = new runtime.PersonalizeRuntimeClient(settings);
const recorder = new events.PersonalizeEventsClient(settings);
const call = (name, input) => personalize.send(new control[`${name}Command`](input));

async function active(name, member, arn) {
  for (let n = 0; n < 600; n++) {
    const { status, failureReason } = (await call(`Describe${name}`, { [`${member}Arn`]: arn }))[member];
    if (status === "ACTIVE") return arn;
    if (status === "CREATE FAILED") throw new Error(`${arn}: ${failureReason}`);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  throw new Error(`${arn} does not become ACTIVE`);
}

const field = (name, type) => ({ name, type });
const schema = JSON.stringify({
  type: "record",
  name: "Interactions",
  namespace: "com.amazonaws.personalize.schema",
  fields: [
    field("USER_ID", "string"),
    field("ITEM_ID", "string"),
    field("TIMESTAMP", "long"),
    field("EVENT_TYPE", "string"),
    field("EVENT_VALUE", ["null", "float"]),
  ],
  version: "1.0",
});
const roleArn = "arn:aws:iam::123456789012:role/personalize";
const { datasetGroupArn } = await call("CreateDatasetGroup", { name: "js" });
await active("DatasetGroup", "datasetGroup", datasetGroupArn);
const { schemaArn } = await call("CreateSchema", { name: "js", schema });
const { datasetArn } = await call("CreateDataset", { name: "js", datasetGroupArn, schemaArn, datasetType: "Interactions" });
await active("Dataset", "dataset", datasetArn);
const { datasetImportJobArn } = await call("CreateDatasetImportJob", {
  jobName: "js",
  datasetArn,
  dataSource: { dataLocation: location },
  roleArn,
});
await active("DatasetImportJob", "datasetImportJob", datasetImportJobArn);
const { eventTrackerArn, trackingId } = await call("CreateEventTracker", { name: "js", datasetGroupArn });
await active("EventTracker", "eventTracker", eventTrackerArn);
const { filterArn } = await call("CreateFilter", {
  name: "js",
  datasetGroupArn,
  filterExpression: 'EXCLUDE ItemID WHERE Interactions.EVENT_TYPE IN ("View")',
});
await active("Filter", "filter", filterArn);
const { solutionArn } = await call("CreateSolution", {
  name: "js",
  datasetGroupArn,
  recipeArn: "arn:aws:personalize:::recipe/aws-user-personalization-v2",
  performAutoTraining: false,
});
await active("Solution", "solution", solutionArn);
const { solutionVersionArn } = await call("CreateSolutionVersion", { solutionArn });
await active("SolutionVersion", "solutionVersion", solutionVersionArn);
const { metrics } = await call("GetSolutionMetrics", { solutionVersionArn });
const { campaignArn } = await call("CreateCampaign", { name: "js", solutionVersionArn });
await active("Campaign", "campaign", campaignArn);
const viewed = "i7";
const event = { eventId: "1", eventType: "View", itemId: viewed, sentAt: new Date(), properties: '{"eventValue": 2}' };
await recorder.send(new events.PutEventsCommand({ trackingId, sessionId: "s", userId: "js", eventList: [event] }));
const answer = await recommender.send(
  new runtime.GetRecommendationsCommand({ campaignArn, userId: "js", filterArn, numResults: 80 }),
);
const { Filters } = await call("ListFilters", { datasetGroupArn });
let refused;
try {
  await call("DescribeCampaign", { campaignArn: campaignArn + "x" });
} catch (error) {
  refused = { known: error instanceof control.ResourceNotFoundException, status: error.$metadata.httpStatusCode };
}
const described = await call("DescribeCampaign", { campaignArn });
console.log(
  JSON.stringify({
    metrics: Object.keys(metrics).length,
    items: answer.itemList.map((item) => item.itemId),
    viewed,
    filters: Filters.map((filter) => filter.name),
    refused,
    created: described.campaign.creationDateTime instanceof Date,
  }),
);
