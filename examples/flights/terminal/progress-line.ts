/**
 * A progress bar on a terminal; plain lines where the output goes to a file or a log.
 * @module
 */

/** Shows how far something is. */
export interface ProgressLine {
  /** @param progress 0–1 */
  show(progress: number): void
  end(): void
}

const WIDTH = 40

/** Draws over one line of a terminal, or writes a line for each quarter. */
export function createProgressLine(stream: NodeJS.WriteStream): ProgressLine {
  return stream.isTTY ? barOn(stream) : linesOn(stream)
}

function barOn(stream: NodeJS.WriteStream): ProgressLine {
  return {
    show(progress) {
      // A line that wraps could not be drawn over; some terminals say they have 0 columns.
      const width = Math.max(10, Math.min(WIDTH, (stream.columns || 80) - 8))
      const filled = Math.round(progress * width)
      stream.write(`\r${'█'.repeat(filled)}${'░'.repeat(width - filled)} ${percentOf(progress)}`)
    },
    end: () => stream.write('\n'),
  }
}

function linesOn(stream: NodeJS.WriteStream): ProgressLine {
  let shown = -1
  return {
    show(progress) {
      const quarter = Math.floor(progress * 4)
      if (quarter === shown) return
      shown = quarter
      stream.write(`progress ${percentOf(progress)}\n`)
    },
    end: () => {},
  }
}

function percentOf(progress: number): string {
  return `${Math.floor(progress * 100)}%`.padStart(4)
}
