import assert from "node:assert/strict";
import { ApiError, GoogleGenAI } from "@google/genai";
import { NO_MODEL, PERSON, PNG, QUESTION, TOOLS_PLEASE, WEATHER } from "./shared.mjs";

const made = ({ url, token }) => new GoogleGenAI({ apiKey: token, httpOptions: { baseUrl: url } });
const tools = [
  { functionDeclarations: [{ name: "get_weather", description: "Weather.", parametersJsonSchema: WEATHER }] },
];

async function streamed(at, asked) {
  const parts = [];
  let last;
  for await (const chunk of await made(at).models.generateContentStream(asked)) {
    parts.push(...(chunk.candidates?.[0]?.content?.parts ?? []));
    last = chunk;
  }
  return { parts, last };
}

export const cases = {
  async "content, whole"(at, model) {
    const answer = await made(at).models.generateContent({ model, contents: QUESTION });
    assert.match(answer.text, /You wrote: What is a key for\?/);
    assert.equal(answer.candidates[0].finishReason, "STOP");
    assert.ok(answer.usageMetadata.totalTokenCount > 0);
  },

  async "content, streamed"(at, model) {
    const { parts, last } = await streamed(at, { model, contents: QUESTION });
    assert.match(parts.map((part) => part.text ?? "").join(""), /You wrote: What is a key for\?/);
    assert.equal(last.candidates[0].finishReason, "STOP");
    assert.ok(last.usageMetadata.totalTokenCount > 0);
  },

  async "content, tools over two turns"(at, model) {
    const contents = [{ role: "user", parts: [{ text: TOOLS_PLEASE }] }];
    const { parts } = await streamed(at, { model, contents, config: { tools } });
    const call = parts.find((part) => part.functionCall).functionCall;
    assert.deepEqual(call.args, { city: "city" });
    const functionResponse = { id: call.id, name: call.name, response: { result: "It is sunny." } };
    contents.push({ role: "model", parts }, { role: "user", parts: [{ functionResponse }] });
    const answer = await made(at).models.generateContent({ model, contents, config: { tools } });
    assert.match(answer.text, /It is sunny\./);
  },

  async "content, JSON of a schema"(at, model) {
    const config = { responseMimeType: "application/json", responseJsonSchema: PERSON };
    const answer = await made(at).models.generateContent({ model, contents: QUESTION, config });
    assert.deepEqual(JSON.parse(answer.text), { name: "name", age: 0 });
  },

  async "content, an image"(at, model) {
    const parts = [{ text: "Look." }, { inlineData: { mimeType: "image/png", data: PNG } }];
    const answer = await made(at).models.generateContent({ model, contents: [{ role: "user", parts }] });
    assert.match(answer.text, /1 image/);
  },

  async "content, an instruction and a chat"(at, model) {
    const chat = made(at).chats.create({ model, config: { systemInstruction: "Be brief." } });
    await chat.sendMessage({ message: "One." });
    const answer = await chat.sendMessage({ message: "Two." });
    assert.match(answer.text, /You wrote: Two\./);
  },

  async "tokens counted"(at, model) {
    const counted = await made(at).models.countTokens({ model, contents: QUESTION });
    assert.ok(counted.totalTokens > 0);
  },

  async "an unknown model"(at) {
    const asked = made(at).models.generateContent({ model: NO_MODEL, contents: QUESTION });
    await assert.rejects(asked, (error) => error instanceof ApiError && error.status === 404);
  },

  async "a wrong token"(at, model) {
    const asked = made({ ...at, token: "wrong" }).models.generateContent({ model, contents: QUESTION });
    await assert.rejects(asked, (error) => error instanceof ApiError && error.status === 401);
  },
};
