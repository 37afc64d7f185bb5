/** What kubectl shows of the assistant, kind by kind, so that its reader need not trust the demo's words. */
const shortNames = ['tmb', 'wp', 'tq', 'tsch', 'tdep', 'tex', 'tal', 'tac'] as const

export type ShownKind = { readonly command: string; readonly lines: readonly string[] }

export async function allKinds(kubectl: (...args: string[]) => Promise<string>): Promise<readonly ShownKind[]> {
  const show = async (shortName: string): Promise<ShownKind> => {
    const args = ['-n', 'assistant', 'get', shortName]
    return {
      command: `kubectl ${args.join(' ')}`,
      lines: (await kubectl(...args))
        .trimEnd()
        .split('\n')
        .map((line) => line.trimEnd()),
    }
  }
  return Promise.all(shortNames.map(show))
}

/** Of each kind there has to be at least one. */
export function missingKinds(shown: readonly ShownKind[]): readonly string[] {
  return shown.filter(({ lines }) => lines.length < 2).map(({ command }) => `"${command}" shows nothing`)
}
