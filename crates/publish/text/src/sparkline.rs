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

/// Values that have room in `width` blocks: of neighbours that share a block, the largest.
pub(crate) fn fitted(values: &[Option<f64>], width: usize) -> Vec<Option<f64>> {
    let each = values.len().div_ceil(width.max(1)).max(1);
    values.chunks(each).map(|of| of.iter().flatten().copied().reduce(f64::max)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sparkline_fills_from_nothing_to_the_most() {
        assert_eq!(sparkline(&[Some(0.0), Some(1.0), None, Some(4.0), Some(8.0)]), "▁▁ ▄█");
        assert_eq!(sparkline(&[Some(0.0); 3]), "▁▁▁");
    }
    #[test]
    fn neighbours_share_a_block_if_there_is_no_room_and_the_largest_shows() {
        let values = [Some(1.0), Some(7.0), None, None, Some(2.0)];
        assert_eq!(fitted(&values, 5), values);
        assert_eq!(fitted(&values, 4), [Some(7.0), None, Some(2.0)]);
        assert_eq!(fitted(&values, 0), [Some(7.0)]);
    }
}
