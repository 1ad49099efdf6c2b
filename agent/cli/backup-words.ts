import { BACKUP_FOLDER, type BackupManifest } from "./backup-manifest.ts";

/** What was made. */
export interface MadeBackup {
  readonly manifest: BackupManifest;
  readonly withKey: boolean;
  /** The key cannot leave its coprocessor: what is in the backup is what belongs to it. */
  readonly keyElsewhere?: true;
  readonly checked: boolean;
  /** What the check of the copy found. */
  readonly damaged?: string;
}

/** What stands in the archive for whoever finds it. */
export function backupReadme({ madeAtMs, network, deviceKey, version, epoch, size }: BackupManifest): string {
  return `A copy of the log of device ${deviceKey}, network ${network}, as it was on
${new Date(madeAtMs).toISOString()}: epoch ${epoch}, ${size} entries; made by kilowitness ${version}.

What it is good for
  - to prove what the log says up to then: unpack it, put the key file beside it, then kilowitness prove
  - to put the log back on a gateway that has the same key:  kilowitness restore FILE --config agent.yaml
  - to name the old gateway on a new one with another key:   kilowitness replace-gateway --config agent.yaml --from FILE

What it is not good for
  - It is not the device: without its key nobody can go on with this log. A key is in here only where there is a
    device.key.encrypted, and then only for who has the passphrase; the key of a coprocessor is in no backup, and its
    log goes on where the coprocessor is. Never let two gateways run with one key: they accuse each other, and every
    node sees it.
  - Readings that were taken after it was made, and that no node received, are gone with the old gateway.
  - After a restore the agent asks its nodes what they hold before it signs, and goes on in a new epoch.
  - Passwords, certificates and own profiles that agent.yaml names, and raw frames, are not in it.
`;
}

/** What the command prints. */
export function madeWords({
  file,
  bytes,
  manifest,
  checked,
  damaged,
  ...key
}: MadeBackup & { readonly file: string; readonly bytes: number }): string[] {
  const { epoch, size, signedSize, deviceKey } = manifest;
  return [
    `${file}: ${bytes} bytes`,
    `device ${deviceKey}, epoch ${epoch}: ${size} entries, ${signedSize} of them signed`,
    damaged !== undefined
      ? `DAMAGED, written as it is: ${damaged}`
      : checked
        ? "checked from end to end: consistent"
        : "not checked",
    keyWords(key),
    `what it is good for: tar xOf ${file} ${BACKUP_FOLDER}/README.txt`,
  ];
}

function keyWords({ withKey, keyElsewhere }: Pick<MadeBackup, "withKey" | "keyElsewhere">): string {
  if (keyElsewhere === true)
    return `the device's key is in its coprocessor${withKey ? ", and what belongs to it is here, encrypted" : ""}: only a gateway with that coprocessor can go on with this log`;
  return withKey
    ? "the device's key is in it, encrypted: whoever has the file and the passphrase can sign as this device"
    : "the device's key is not in it: only a gateway that still has the key can go on with this log";
}
