//! Values over time as a row of blocks.

use base::number::count;

/// One block per value; the largest value has full height, and a missing value is a blank.
pub(crate) fn sparkline(values: &[Option<f64>]) -> String {
    const BLOCKS: [char; 8] = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];
    let most = values.iter().flatten().copied().fold(0.0, f64::max);
    let block = |value: f64| {
        let level = BLOCKS.iter().enumerate().rev().find(|(level, _)| {
            // The lowest block also means zero; each other one means values above its eighth of the largest.
            let least = count(*level) / 8.0;
            value > most * least || *level == 0
        });
        level.map_or(' ', |(_, block)| *block)
    };
    values.iter().map(|value| value.map_or(' ', block)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sparkline_fills_from_nothing_to_the_most() {
        assert_eq!(sparkline(&[Some(0.0), Some(1.0), None, Some(4.0), Some(8.0)]), "▁▁ ▄█");
        assert_eq!(sparkline(&[Some(0.0); 3]), "▁▁▁");
    }
}
