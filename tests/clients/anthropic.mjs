import assert from "node:assert/strict";
import Anthropic from "@anthropic-ai/sdk";
import { NO_MODEL, PNG, QUESTION, TOOLS_PLEASE, WEATHER } from "./shared.mjs";

const made = ({ url, token }) => new Anthropic({ baseURL: url, apiKey: token });
const ask = (content) => [{ role: "user", content }];
const tools = [{ name: "get_weather", description: "Weather.", input_schema: WEATHER }];
const max_tokens = 2000;

async function loop(at, model, more, finish) {
  const client = made(at);
  const messages = ask(TOOLS_PLEASE);
  const first = await finish(client, { model, max_tokens, messages, tools, ...more });
  assert.equal(first.stop_reason, "tool_use");
  const call = first.content.find((block) => block.type === "tool_use");
  assert.deepEqual(call.input, { city: "city" });
  const result = { type: "tool_result", tool_use_id: call.id, content: "It is sunny." };
  const second = await finish(client, {
    model,
    max_tokens,
    messages: [...messages, { role: "assistant", content: first.content }, { role: "user", content: [result] }],
    tools,
    ...more,
  });
  assert.match(second.content.find((block) => block.type === "text").text, /It is sunny\./);
  assert.equal(second.stop_reason, "end_turn");
}

const whole = (client, asked) => client.messages.create(asked);
const streamed = (client, asked) => client.messages.stream(asked).finalMessage();

export const cases = {
  async "messages, whole"(at, model) {
    const answer = await whole(made(at), { model, max_tokens, messages: ask(QUESTION) });
    assert.match(answer.content[0].text, /You wrote: What is a key for\?/);
    assert.equal(answer.stop_reason, "end_turn");
    assert.ok(answer.usage.input_tokens > 0 && answer.usage.output_tokens > 0);
  },

  async "messages, streamed"(at, model) {
    let text = "";
    const stream = made(at).messages.stream({ model, max_tokens, messages: ask(QUESTION) });
    stream.on("text", (piece) => (text += piece));
    const answer = await stream.finalMessage();
    assert.equal(text, answer.content[0].text);
    assert.match(text, /You wrote: What is a key for\?/);
    assert.ok(answer.usage.input_tokens > 0 && answer.usage.output_tokens > 0);
  },

  "messages, tools over two turns": (at, model) => loop(at, model, {}, whole),
  "messages, tools streamed": (at, model) => loop(at, model, {}, streamed),
  "messages, tools and thinking": (at, model) =>
    loop(at, model, { thinking: { type: "enabled", budget_tokens: 1024 } }, streamed),

  async "messages, a system that is cached"(at, model) {
    const system = [{ type: "text", text: "Be brief.", cache_control: { type: "ephemeral" } }];
    const answer = await whole(made(at), { model, max_tokens, system, messages: ask(QUESTION) });
    assert.match(answer.content[0].text, /What is a key for\?/);
  },

  async "messages, an image"(at, model) {
    const source = { type: "base64", media_type: "image/png", data: PNG };
    const content = [{ type: "text", text: "Look." }, { type: "image", source }];
    const answer = await whole(made(at), { model, max_tokens, messages: ask(content) });
    assert.match(answer.content[0].text, /1 image/);
  },

  async "messages, a stop sequence"(at, model) {
    const asked = { model, max_tokens, messages: ask("Say 50 words"), stop_sequences: ["word7"] };
    const answer = await whole(made(at), asked);
    assert.match(answer.content[0].text.trim(), /word6$/);
  },

  async "tokens counted"(at, model) {
    const counted = await made(at).messages.countTokens({ model, messages: ask(QUESTION) });
    assert.ok(counted.input_tokens > 0);
  },

  async "an unknown model"(at) {
    const asked = whole(made(at), { model: NO_MODEL, max_tokens, messages: ask(QUESTION) });
    await assert.rejects(asked, (error) => error instanceof Anthropic.NotFoundError && /missing-model/.test(error.message));
  },

  async "a wrong token"(at, model) {
    const asked = whole(made({ ...at, token: "wrong" }), { model, max_tokens, messages: ask(QUESTION) });
    await assert.rejects(asked, Anthropic.AuthenticationError);
  },

  async "models"(at, model) {
    const listed = [];
    for await (const one of made(at).models.list()) listed.push(one.id);
    assert.ok(listed.includes(model), listed.join());
  },
};
