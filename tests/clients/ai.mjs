import assert from "node:assert/strict";
import { createAnthropic } from "@ai-sdk/anthropic";
import { createGoogleGenerativeAI } from "@ai-sdk/google";
import { createOpenAI } from "@ai-sdk/openai";
import { createOpenAICompatible } from "@ai-sdk/openai-compatible";
import { generateText, jsonSchema, Output, stepCountIs, streamText, tool } from "ai";
import { PERSON, PNG, QUESTION, TOOLS_PLEASE, WEATHER } from "./shared.mjs";

const WAYS = {
  "openai, chat": ({ url, token }) => createOpenAI({ baseURL: `${url}/v1`, apiKey: token }).chat,
  "openai, responses": ({ url, token }) => createOpenAI({ baseURL: `${url}/v1`, apiKey: token }).responses,
  "openai-compatible": ({ url, token }) =>
    createOpenAICompatible({
      name: "ownkey",
      baseURL: `${url}/v1`,
      apiKey: token,
      includeUsage: true,
      supportsStructuredOutputs: true,
    }),
  "anthropic": ({ url, token }) => createAnthropic({ baseURL: `${url}/v1`, apiKey: token }),
  "google": ({ url, token }) => createGoogleGenerativeAI({ baseURL: `${url}/v1beta`, apiKey: token }),
};

const weather = () =>
  tool({ description: "Weather.", inputSchema: jsonSchema(WEATHER), execute: async () => "It is sunny." });

const each = {
  async "text, whole"(model) {
    const answer = await generateText({ model, prompt: QUESTION });
    assert.match(answer.text, /You wrote: What is a key for\?/);
    assert.equal(answer.finishReason, "stop");
    assert.ok(answer.usage.totalTokens > 0);
  },

  async "text, streamed"(model) {
    const answer = streamText({ model, prompt: QUESTION });
    assert.match(await answer.text, /You wrote: What is a key for\?/);
    assert.ok((await answer.usage).outputTokens > 0);
  },

  async "tools in a loop"(model) {
    const tools = { get_weather: weather() };
    const answer = await generateText({ model, tools, stopWhen: stepCountIs(3), prompt: TOOLS_PLEASE });
    assert.match(answer.text, /It is sunny\./);
  },

  async "tools in a loop, streamed"(model) {
    const tools = { get_weather: weather() };
    const answer = streamText({ model, tools, stopWhen: stepCountIs(3), prompt: TOOLS_PLEASE });
    assert.match(await answer.text, /It is sunny\./);
  },

  async "JSON of a schema"(model) {
    const output = Output.object({ schema: jsonSchema(PERSON) });
    const answer = await generateText({ model, output, prompt: QUESTION });
    assert.deepEqual(answer.output, { name: "name", age: 0 });
  },

  async "an image"(model) {
    const content = [
      { type: "text", text: "Look." },
      { type: "file", data: PNG, mediaType: "image/png" },
    ];
    const answer = await generateText({ model, messages: [{ role: "user", content }] });
    assert.match(answer.text, /1 image/);
  },
};

export const cases = Object.fromEntries(
  Object.entries(WAYS).flatMap(([way, made]) =>
    Object.entries(each).map(([name, run]) => [`${way}: ${name}`, (at, model) => run(made(at)(model))]),
  ),
);
