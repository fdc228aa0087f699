import assert from "node:assert/strict";
import OpenAI from "openai";
import { NO_MODEL, PERSON, PNG, QUESTION, TOOLS_PLEASE, WEATHER } from "./shared.mjs";

const made = ({ url, token }) => new OpenAI({ baseURL: `${url}/v1`, apiKey: token });
const ask = (content) => [{ role: "user", content }];
const tool = { type: "function", function: { name: "get_weather", description: "Weather.", parameters: WEATHER } };
const flat = { type: "function", name: "get_weather", description: "Weather.", parameters: WEATHER, strict: true };

export const cases = {
  async "chat, whole"(at, model) {
    const answer = await made(at).chat.completions.create({ model, messages: ask(QUESTION) });
    assert.match(answer.choices[0].message.content, /You wrote: What is a key for\?/);
    assert.ok(answer.usage.total_tokens > 0);
  },

  async "chat, streamed"(at, model) {
    const stream = await made(at).chat.completions.create({ model, messages: ask(QUESTION), stream: true });
    let text = "";
    for await (const chunk of stream) text += chunk.choices[0]?.delta?.content ?? "";
    assert.match(text, /You wrote: What is a key for\?/);
  },

  async "chat, tools in a loop"(at, model) {
    const seen = [];
    const runner = made(at).chat.completions.runTools({
      model,
      messages: ask(TOOLS_PLEASE),
      tools: [
        {
          type: "function",
          function: {
            name: "get_weather",
            description: "Weather.",
            parameters: WEATHER,
            parse: JSON.parse,
            function: (given) => {
              seen.push(given);
              return "It is sunny.";
            },
          },
        },
      ],
    });
    assert.match(await runner.finalContent(), /It is sunny\./);
    assert.deepEqual(seen, [{ city: "city" }]);
  },

  async "chat, tools streamed"(at, model) {
    const stream = made(at).chat.completions.stream({ model, messages: ask(TOOLS_PLEASE), tools: [tool] });
    const answer = await stream.finalChatCompletion();
    assert.equal(answer.choices[0].finish_reason, "tool_calls");
    const call = answer.choices[0].message.tool_calls[0];
    assert.deepEqual(JSON.parse(call.function.arguments), { city: "city" });
  },

  async "chat, JSON of a schema"(at, model) {
    const response_format = { type: "json_schema", json_schema: { name: "person", schema: PERSON, strict: true } };
    const answer = await made(at).chat.completions.parse({ model, messages: ask(QUESTION), response_format });
    assert.deepEqual(answer.choices[0].message.parsed, { name: "name", age: 0 });
  },

  async "chat, an image"(at, model) {
    const url = `data:image/png;base64,${PNG}`;
    const content = [{ type: "text", text: "Look." }, { type: "image_url", image_url: { url } }];
    const answer = await made(at).chat.completions.create({ model, messages: ask(content) });
    assert.match(answer.choices[0].message.content, /1 image/);
  },

  async "responses, whole"(at, model) {
    const answer = await made(at).responses.create({ model, input: QUESTION });
    assert.match(answer.output_text, /You wrote: What is a key for\?/);
    assert.equal(answer.status, "completed");
    assert.ok(answer.usage.total_tokens > 0);
  },

  async "responses, streamed"(at, model) {
    const stream = made(at).responses.stream({ model, input: QUESTION });
    let text = "";
    stream.on("response.output_text.delta", (event) => (text += event.delta));
    const answer = await stream.finalResponse();
    assert.equal(text, answer.output_text);
    assert.match(text, /You wrote: What is a key for\?/);
  },

  async "responses, tools over two turns"(at, model) {
    const client = made(at);
    const input = ask(TOOLS_PLEASE);
    const asked = { model, tools: [flat], store: false, include: ["reasoning.encrypted_content"] };
    const first = await client.responses.create({ ...asked, input });
    const call = first.output.find((item) => item.type === "function_call");
    assert.deepEqual(JSON.parse(call.arguments), { city: "city" });
    const result = { type: "function_call_output", call_id: call.call_id, output: "It is sunny." };
    const second = await client.responses.create({ ...asked, input: [...input, ...first.output, result] });
    assert.match(second.output_text, /It is sunny\./);
  },

  async "responses, JSON of a schema"(at, model) {
    const text = { format: { type: "json_schema", name: "person", schema: PERSON, strict: true } };
    const answer = await made(at).responses.parse({ model, input: QUESTION, text });
    assert.deepEqual(answer.output_parsed, { name: "name", age: 0 });
  },

  async "an unknown model"(at) {
    const asked = made(at).chat.completions.create({ model: NO_MODEL, messages: ask(QUESTION) });
    await assert.rejects(asked, (error) => error instanceof OpenAI.NotFoundError && /missing-model/.test(error.message));
  },

  async "a wrong token"(at, model) {
    const asked = made({ ...at, token: "wrong" }).responses.create({ model, input: QUESTION });
    await assert.rejects(asked, OpenAI.AuthenticationError);
  },

  async "models"(at, model) {
    const listed = [];
    for await (const one of made(at).models.list()) listed.push(one.id);
    assert.ok(listed.includes(model), listed.join());
  },
};
