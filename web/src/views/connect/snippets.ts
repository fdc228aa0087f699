/** How each client is pointed at this gateway. `base` is such as `http://127.0.0.1:3010/v1`. */
export interface Snippet {
  id: string;
  name: string;
  write: (base: string, token: string, model: string) => string;
}

/** Anthropic's and Google's clients put their own version into the path. */
function root(base: string): string {
  return base.replace(/\/v1$/, "");
}

export const SNIPPETS: readonly Snippet[] = [
  {
    id: "openai-python",
    name: "OpenAI, Python",
    write: (base, token, model) => `from openai import OpenAI

client = OpenAI(base_url="${base}", api_key="${token}")
answer = client.chat.completions.create(
    model="${model}",
    messages=[{"role": "user", "content": "Hello"}],
)
print(answer.choices[0].message.content)`,
  },
  {
    id: "openai-node",
    name: "OpenAI, Node",
    write: (base, token, model) => `import OpenAI from "openai";

const client = new OpenAI({ baseURL: "${base}", apiKey: "${token}" });
const answer = await client.chat.completions.create({
  model: "${model}",
  messages: [{ role: "user", content: "Hello" }],
});
console.log(answer.choices[0].message.content);`,
  },
  {
    id: "anthropic",
    name: "Anthropic, Python",
    write: (base, token, model) => `from anthropic import Anthropic

client = Anthropic(base_url="${root(base)}", api_key="${token}")
answer = client.messages.create(
    model="${model}",
    max_tokens=1024,
    messages=[{"role": "user", "content": "Hello"}],
)
print(answer.content[0].text)`,
  },
  {
    id: "google",
    name: "Google, Python",
    write: (base, token, model) => `from google import genai

client = genai.Client(
    api_key="${token}",
    http_options={"base_url": "${root(base)}"},
)
answer = client.models.generate_content(model="${model}", contents="Hello")
print(answer.text)`,
  },
  {
    id: "curl",
    name: "curl",
    write: (base, token, model) => `curl ${base}/chat/completions \\
  -H "Authorization: Bearer ${token}" \\
  -H "Content-Type: application/json" \\
  -d '{"model": "${model}", "messages": [{"role": "user", "content": "Hello"}]}'`,
  },
  {
    id: "claude-code",
    name: "Claude Code",
    write: (base, token, model) => `export ANTHROPIC_BASE_URL="${root(base)}"
export ANTHROPIC_AUTH_TOKEN="${token}"
export ANTHROPIC_MODEL="${model}"
claude`,
  },
  {
    id: "environment",
    name: "Tools that read the environment",
    write: (base, token) => `export OPENAI_BASE_URL="${base}"
export OPENAI_API_KEY="${token}"`,
  },
  {
    id: "form",
    name: "Tools with a form",
    write: (base, token, model) => `Provider:  OpenAI compatible (or "custom")
Base URL:  ${base}
API key:   ${token}
Model:     ${model}`,
  },
];
