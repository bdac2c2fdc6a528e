// Evaluates JSONata with the reference implementation: a case {"text"} a line; answers {"value"}, {} for undefined, or {"error"}.
// Step Functions' own functions (step-functions/latest/dg/transforming-data.html) are written here once more, on purpose.
const crypto = require('crypto'), jsonata = require('jsonata'), readline = require('readline');

const OWN = {
  partition: (array, size) => Array.from({length: Math.ceil(array.length / size)}, (_, i) => array.slice(i * size, (i + 1) * size)),
  range: (first, last, step) => {
    const all = [];
    for (let n = first; step > 0 ? n <= last : n >= last; n += step) all.push(n);
    return all;
  },
  hash: (text, algorithm) => crypto.createHash(algorithm.replace('-', '').toLowerCase()).update(text).digest('hex'),
  parse: text => JSON.parse(text),
};

async function answer({text}) {
  try {
    const expression = jsonata(text);
    for (const [name, body] of Object.entries(OWN)) expression.registerFunction(name, body);
    const value = await expression.evaluate(undefined);
    return value === undefined ? {} : {value: JSON.parse(JSON.stringify(value) ?? 'null')};
  } catch (error) {
    return {error: `${error.code ?? ''} ${error.message}`};
  }
}

(async () => {
  for await (const line of readline.createInterface({input: process.stdin})) {
    console.log(JSON.stringify(await answer(JSON.parse(line))));
  }
})();
