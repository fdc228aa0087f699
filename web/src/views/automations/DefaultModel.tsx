import { Box, Title } from "@mantine/core";
import { useMutation, useQueryClient } from "@tanstack/react-query";
import { api, told } from "../../api/client";
import { MODELS } from "../../api/models";
import { asProblem } from "../../api/problem";
import { ModelPicker } from "../../parts/ModelPicker";
import { useSay } from "../../parts/Said";
import { AUTO } from "./known";

export const BY_ITSELF = { value: AUTO, label: AUTO, says: "The first provider that can be asked" };

/** The model that new automations get. */
export function DefaultModel({ current }: { current: string }) {
  const queries = useQueryClient();
  const say = useSay();
  const setting = useMutation({
    mutationFn: (model: string) =>
      told(api.PUT("/api/automation-default", { body: { model: model === AUTO ? null : model } })),
    onSuccess: async ({ model }) => {
      say(`New automations use ${model}.`);
      await Promise.all([
        queries.invalidateQueries({ queryKey: ["automations"] }),
        queries.invalidateQueries({ queryKey: MODELS }),
      ]);
    },
  });
  return (
    <Box component="section" mt={40} maw={520} aria-labelledby="default-model">
      <Title order={2} id="default-model" mb="xs">
        For new automations
      </Title>
      <ModelPicker
        label="Default model"
        value={setting.isPending ? setting.variables : current}
        choose={(model) => setting.mutate(model)}
        others={[BY_ITSELF]}
        disabled={setting.isPending}
        error={setting.isError ? asProblem(setting.error).said : undefined}
      />
    </Box>
  );
}
