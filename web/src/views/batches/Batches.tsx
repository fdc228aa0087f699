import { Button, Stack } from "@mantine/core";
import { IconUpload } from "@tabler/icons-react";
import { useQuery } from "@tanstack/react-query";
import { Link, useParams } from "react-router";
import { usePerson } from "../../app/session";
import { PageHead } from "../../parts/PageHead";
import { Answered, Empty, Waiting } from "../../parts/States";
import { BatchCard } from "./BatchCard";
import { isOver, listBatches, listFiles } from "./gateway";
import { UploadSheet } from "./UploadSheet";

const EVERY_MS = 2_000;

/** Many requests from one file: how far each batch is, and what it costs. */
export default function Batches() {
  const wanted = useParams()["*"] ?? "";
  const viewer = usePerson().role === "viewer";
  const batches = useQuery({
    queryKey: ["batches", "list"],
    queryFn: listBatches,
    refetchInterval: ({ state }) => (state.data?.some((one) => !isOver(one)) ? EVERY_MS : false),
  });
  const files = useQuery({
    queryKey: ["batch-files", batches.data?.[0]?.id],
    queryFn: listFiles,
    enabled: batches.isSuccess,
  });
  const add = viewer ? null : (
    <Button component={Link} to="/batches/new" leftSection={<IconUpload size={16} aria-hidden />}>
      Begin a batch
    </Button>
  );
  return (
    <>
      <PageHead
        title="Batches"
        says="Many requests from one file, side by side, within your limits. Nothing is paid for twice, whatever happens."
        action={add}
      />
      <Answered query={batches} waiting={<Waiting rows={3} height={96} />}>
        {(all) =>
          all.length === 0 ? (
            <Empty title="There is no batch yet" action={add}>
              Each line of a JSONL file is one request, as OpenAI's batches have them. Answers come into a file of their
              own, and what failed into another.
            </Empty>
          ) : (
            <Stack gap="sm" component="section" aria-label="Batches">
              {all.map((one) => (
                <BatchCard
                  key={one.id}
                  batch={one}
                  name={files.data?.get(one.input_file_id) ?? one.id}
                  viewer={viewer}
                />
              ))}
            </Stack>
          )
        }
      </Answered>
      {wanted === "new" && !viewer && <UploadSheet />}
    </>
  );
}
