//! A chart: lines over a few places on the x axis, as an SVG file.

use std::error::Error;
use std::path::Path;

use plotters::prelude::*;

#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Chart {
    pub(crate) title: String,
    /// What the x axis shows, and its places from left to right.
    pub(crate) across: &'static str,
    pub(crate) places: Vec<String>,
    /// What the y axis shows, with its unit.
    pub(crate) upwards: &'static str,
    pub(crate) scale: Scale,
    pub(crate) lines: Vec<ChartLine>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Scale {
    /// From nothing.
    Linear,
    /// By powers of ten.
    Logarithmic,
}

#[derive(Debug, Clone, PartialEq)]
pub(crate) struct ChartLine {
    pub(crate) name: String,
    pub(crate) colour: RGBColor,
    /// Which place, and the figure there.
    pub(crate) points: Vec<(usize, f64)>,
}

impl Chart {
    /// Draws it, with a caption on where and when it was measured.
    pub(crate) fn draw(&self, path: &Path, caption: &str) -> Result<(), Box<dyn Error>> {
        let root = SVGBackend::new(path, (900, 560)).into_drawing_area();
        root.fill(&WHITE)?;
        let root = root.titled(&self.title, ("sans-serif", 22))?.titled(caption, ("sans-serif", 12))?;
        let figures = self.lines.iter().flat_map(|line| &line.points).map(|(_, figure)| self.height(*figure));
        let (low, high) = figures.fold((f64::MAX, f64::MIN), |(low, high), y| (low.min(y), high.max(y)));
        let heights = match self.scale {
            // Above the lines there is room for their names.
            Scale::Linear => 0.0..high * 1.3,
            Scale::Logarithmic => low.floor()..high.ceil(),
        };
        let last = self.places.len().saturating_sub(1) as f64;
        let mut chart = ChartBuilder::on(&root)
            .margin(12)
            .x_label_area_size(44)
            .y_label_area_size(96)
            .build_cartesian_2d(-0.2..last + 0.2, heights)?;
        chart
            .configure_mesh()
            .x_labels(self.places.len())
            .x_label_formatter(&|x| self.place(*x))
            .x_desc(self.across)
            .y_label_formatter(&|y| self.label(*y))
            .y_desc(self.upwards)
            .light_line_style(WHITE)
            .label_style(("sans-serif", 13))
            .axis_desc_style(("sans-serif", 15))
            .draw()?;
        for line in &self.lines {
            let style = line.colour.stroke_width(2);
            let points: Vec<_> = line.points.iter().map(|(place, y)| (*place as f64, self.height(*y))).collect();
            chart
                .draw_series(LineSeries::new(points.iter().copied(), style))?
                .label(&line.name)
                .legend(move |(x, y)| PathElement::new([(x, y), (x + 18, y)], style));
            chart.draw_series(points.iter().map(|point| Circle::new(*point, 3, line.colour.filled())))?;
        }
        let background = WHITE.mix(0.8);
        chart
            .configure_series_labels()
            .position(SeriesLabelPosition::UpperLeft)
            .background_style(background)
            .border_style(BLACK)
            .label_font(("sans-serif", 13))
            .draw()?;
        root.present()?;
        Ok(())
    }

    fn height(&self, figure: f64) -> f64 {
        match self.scale {
            Scale::Linear => figure,
            Scale::Logarithmic => figure.max(f64::MIN_POSITIVE).log10(),
        }
    }

    fn label(&self, height: f64) -> String {
        match self.scale {
            Scale::Linear if height == 0.0 => "0".to_owned(),
            Scale::Linear if height >= 1e6 => format!("{:.1} M", height / 1e6),
            Scale::Linear if height >= 1e3 => format!("{:.0} k", height / 1e3),
            Scale::Linear => format!("{height:.1}"),
            Scale::Logarithmic => format!("{:.0}", 10_f64.powf(height)),
        }
    }

    /// The name of a place; nothing between two.
    fn place(&self, x: f64) -> String {
        let near = (x - x.round()).abs() < 0.01 && x > -0.1;
        near.then(|| self.places.get(x.round() as usize).cloned()).flatten().unwrap_or_default()
    }
}
