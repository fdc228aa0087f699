// Runs the cases of one client against the gateway, each with each model, and prints one line of JSON for each:
// node run.mjs CLIENT, with OWNKEY_URL, OWNKEY_TOKEN and MODELS (a JSON array) in the environment.

const [client] = process.argv.slice(2);
const { cases } = await import(`./${client}.mjs`);
const models = JSON.parse(process.env.MODELS);
const at = { url: process.env.OWNKEY_URL, token: process.env.OWNKEY_TOKEN };

for (const [name, run] of Object.entries(cases)) {
  for (const model of models) {
    let error = null;
    try {
      await run(at, model);
    } catch (caught) {
      error = String(caught?.stack ?? caught);
    }
    console.log(JSON.stringify({ case: name, model, error }));
  }
}
