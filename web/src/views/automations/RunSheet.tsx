import { Button, Group, Stack, Text } from "@mantine/core";
import { useQuery, useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import { useNavigate } from "react-router";
import { api, told } from "../../api/client";
import { usePerson } from "../../app/session";
import { Ask } from "../../parts/Ask";
import { When } from "../../parts/Figures";
import { useSay } from "../../parts/Said";
import { Sheet } from "../../parts/Sheet";
import { Answered } from "../../parts/States";
import { Gave } from "./Result";

/** One run that was: what it gave, until when that is kept. */
export function RunSheet({ run, back }: { run: string; back: string }) {
  const navigate = useNavigate();
  const queries = useQueryClient();
  const say = useSay();
  const viewer = usePerson().role === "viewer";
  const [forgetting, setForgetting] = useState(false);
  const path = { params: { path: { run } } };
  const found = useQuery({
    queryKey: ["automation-run", run],
    queryFn: () => told(api.GET("/api/automation-runs/{run}", path)),
  });
  return (
    <Sheet title="A run" back={back}>
      <Answered query={found}>
        {(one) => (
          <Stack>
            <Text className="quiet">
              <When ms={one.at_ms} />
              {one.until_ms !== null && (
                <>
                  , kept until <When ms={one.until_ms} />
                </>
              )}
            </Text>
            <Gave run={one} />
            {!viewer && (
              <Group>
                <Button variant="subtle" color="red" onClick={() => setForgetting(true)}>
                  Forget this run
                </Button>
              </Group>
            )}
          </Stack>
        )}
      </Answered>
      {forgetting && (
        <Ask
          title="Forget this run?"
          verb="Forget it"
          danger
          close={() => setForgetting(false)}
          act={async () => {
            await api.DELETE("/api/automation-runs/{run}", path);
            await navigate(back);
            await queries.invalidateQueries({ queryKey: ["runs"] });
            say("The run is forgotten.");
          }}
        >
          What it gave goes. What it cost stays in the book.
        </Ask>
      )}
    </Sheet>
  );
}
