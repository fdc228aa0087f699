import { Button, CopyButton, Group, Stack, Tabs, Text, Title } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";
import { useState } from "react";
import { Link, Route, Routes } from "react-router";
import { api, told } from "../../api/client";
import { ModelPicker } from "../../parts/ModelPicker";
import { PageHead } from "../../parts/PageHead";
import { Secret } from "../../parts/Secret";
import { Answered } from "../../parts/States";
import classes from "./Connect.module.css";
import { NewToken } from "./NewToken";
import { SNIPPETS } from "./snippets";
import { Tokens } from "./Tokens";

/** How programs use this gateway: its address, a token made here, and how each client is told of both. */
export default function Connect() {
  const [made, setMade] = useState<string | null>(null);
  return (
    <>
      <PageHead
        title="Connect"
        says="Point any OpenAI, Anthropic or Google client at this address. It uses your keys, within your limits."
        action={
          <Button component={Link} to="/connect/new">
            Make a token
          </Button>
        }
      />
      <Stack gap="lg">
        <Snippets made={made} />
        <Tokens />
      </Stack>
      <Routes>
        <Route path="new" element={<NewToken made={setMade} />} />
        <Route path="*" element={null} />
      </Routes>
    </>
  );
}

const YOURS = "YOUR_TOKEN";

function Snippets({ made }: { made: string | null }) {
  const status = useQuery({ queryKey: ["status"], queryFn: () => told(api.GET("/api/byok/status")) });
  const [model, setModel] = useState("auto");
  return (
    <section className="card" aria-labelledby="snippets">
      <Title order={2} id="snippets" mb="sm">
        Your address
      </Title>
      <Answered query={status}>
        {({ base_url }) => (
          <Stack>
            <Secret label="Base URL" value={base_url} />
            {made ? (
              <Secret label="Token, shown this once" value={made} />
            ) : (
              <Text className="quiet">
                Make a token, and it stands in these lines. One that you made before you have to put in yourself.
              </Text>
            )}
            <ModelPicker
              label="Model"
              value={model}
              choose={setModel}
              others={[{ value: "auto", label: "auto", says: "The first of your route that answers" }]}
            />
            <Tabs defaultValue="openai-python" keepMounted={false}>
              <Tabs.List aria-label="Clients">
                {SNIPPETS.map((snippet) => (
                  <Tabs.Tab key={snippet.id} value={snippet.id}>
                    {snippet.name}
                  </Tabs.Tab>
                ))}
              </Tabs.List>
              {SNIPPETS.map((snippet) => (
                <Tabs.Panel key={snippet.id} value={snippet.id} pt="sm">
                  <Lines name={snippet.name} text={snippet.write(base_url, made ?? YOURS, model)} />
                </Tabs.Panel>
              ))}
            </Tabs>
          </Stack>
        )}
      </Answered>
    </section>
  );
}

function Lines({ name, text }: { name: string; text: string }) {
  return (
    <div>
      {/* biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls is reached by keyboard */}
      <section className={classes.lines} tabIndex={0} aria-label={`How to connect ${name}`}>
        <pre>{text}</pre>
      </section>
      <Group justify="flex-end" mt="xs">
        <CopyButton value={text}>
          {({ copied, copy }) => (
            <Button variant="default" size="xs" onClick={copy}>
              {copied ? "Copied" : "Copy"}
            </Button>
          )}
        </CopyButton>
      </Group>
    </div>
  );
}
